"""How much memory a piece of work takes at its highest, as the kernel or the GPU's allocator saw it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch

_SELF = Path("/proc/self")
_RESET_HIGHEST_MARK = "5"
"""What /proc/self/clear_refs takes to have VmHWM begin anew, see proc(5)."""


class Meter(Protocol):
    telling: int
    """Bytes: what takes so much tells, for what was kept from before and is used again is little beside it."""

    def growth(self, work: Callable[[], object]) -> int:
        """Bytes by which memory in use was larger, at its highest, while `work` ran. Raises OSError where nobody tells,
        and whatever `work` does."""


class ProcessMeter:
    telling = 20 << 20

    def growth(self, work: Callable[[], object]) -> int:
        (_SELF / "clear_refs").write_text(_RESET_HIGHEST_MARK)
        before = _highest_mark()
        work()
        return max(0, _highest_mark() - before)


class CudaMeter:
    """What the allocator reserves, for that is what its limit counts."""

    telling = 256 << 20
    """It reserves blocks of up to 20 MiB."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def growth(self, work: Callable[[], object]) -> int:
        before = torch.cuda.memory_reserved(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        work()
        torch.cuda.synchronize(self._device)
        return max(0, torch.cuda.max_memory_reserved(self._device) - before)


def _highest_mark() -> int:
    lines = (_SELF / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
