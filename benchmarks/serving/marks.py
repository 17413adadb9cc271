"""Memory of this process as the kernel counts it, in bytes. Linux."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

_SELF = Path("/proc/self")


def reset_highest_mark() -> None:
    """Has VmHWM begin anew, see proc(5)."""
    (_SELF / "clear_refs").write_text("5")


def highest_mark() -> int:
    return _status("VmHWM:")


def resident() -> int:
    return _status("VmRSS:")


def return_free_memory() -> None:
    """What the C library keeps for later would count as if it were still used."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # absent from C libraries other than GNU's
        trim(0)


def _status(field: str) -> int:
    lines = (_SELF / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
