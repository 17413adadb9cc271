"""Values written into PromQL, so that nothing in them is read as PromQL."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def quoted(value: str) -> str:
    """A string literal."""
    return f'"{value.translate(_ESCAPES)}"'


def any_of(values: tuple[str, ...]) -> str:
    """A literal of the regular expression (RE2) that matches these values and no other."""
    return quoted("|".join(_SPECIAL.sub(r"\\\g<0>", value) for value in values))
