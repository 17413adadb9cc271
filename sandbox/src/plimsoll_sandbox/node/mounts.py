"""Mount paths of a container, and their rewriting to where the volumes really lie on this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

# What may stand next to a path without being part of it: quotes, =, :, commas, brackets, spaces; and file:// in front.
_BEFORE = r"(?:(?<![\w./~-])|(?<=file://))"
_AFTER = r"(?![\w.-])"


class Mounts:
    """Where each mount path of one container leads."""

    def __init__(self, places: Mapping[str, Path]) -> None:
        self._places = {path.rstrip("/"): str(place) for path, place in places.items()}
        longest_first = sorted(self._places, key=len, reverse=True)
        alternatives = "|".join(map(re.escape, longest_first))
        self._pattern = re.compile(f"{_BEFORE}({alternatives}){_AFTER}") if alternatives else None

    def rewrite(self, text: str) -> str:
        """Replace every mount path in `text`, whole path components only: /models, not /models2 or /data/models."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: self._places[match[1]], text)
