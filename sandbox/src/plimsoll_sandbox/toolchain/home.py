"""Where everything that Plimsoll caches or runs on this machine lives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def plimsoll_home(environment: Mapping[str, str] = os.environ) -> Path:
    """$PLIMSOLL_HOME, else `plimsoll` in the user's cache folder. Not created here."""
    chosen = environment.get("PLIMSOLL_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    user_cache = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(user_cache).expanduser().absolute() / "plimsoll"
