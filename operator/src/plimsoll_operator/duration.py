"""Durations as the API writes them: `250ms`, `30s`, `5m`, `1h`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours"}
_DURATION = re.compile(r"(\d+)(ms|s|m|h)")


def parse_duration(text: str) -> timedelta:
    """Read a duration of one number and one unit. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a number and one of ms, s, m, h, such as 30s or 5m; found {text!r}")
    number, unit = match.groups()
    return timedelta(**{_UNITS[unit]: int(number)})
