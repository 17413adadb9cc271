"""The memory of this process: what it holds, what it may hold, and how it is kept from more. Free of torch.

Beyond a cgroup's limit no allocation fails: the kernel kills. So on a CPU the server gives itself a soft RLIMIT_DATA
within that limit, and an allocation too many fails as an exception. Never RLIMIT_AS: torch maps several times what it
uses. Never with CUDA, whose driver maps the whole address space; there the allocator takes a fraction instead.

RLIMIT_DATA counts what is mapped, a cgroup what was touched. Torch's libraries map some hundred megabytes that nothing
ever touches, so that much is added to the limit.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from plimsoll_server.errors import StartError

_PRIVATE_FIELDS = ("RssAnon:", "RssShmem:", "VmSwap:")
_ALLOCATOR_FIELDS = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)
_STATUS_BYTES = 8192
"""Several times what the kernel has to say of a process, and so little that it is there when memory is short."""
_HEADROOM = 16 << 20
FEW_WORDS = 1 << 20
"""Bytes that reading them takes, whatever the normaliser makes of them."""
_USUAL_STACK = 8 << 20
"""Where none is set: rather more than what C libraries take then."""
_MOST_PERCENT = 95
"""Of the container's limit: the rest is for what the process does not see, such as the kernel's tables and buffers."""
_SLACK_PERCENT = 10
"""Of the container's limit, between what batches are planned for and where an allocation fails: requests and their
tokens take memory too."""


class MemoryBudgetError(StartError):
    """The budget cannot hold the server. The message says what was found and what to change."""


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """In bytes, and the same of a GPU and of a process on a CPU."""

    used: int
    limit: int | None
    """All there is: the card, or where the kernel kills the process. None where nothing sets a limit."""
    unused: int | None = None
    """Of what is used: what the allocator holds free. If it grows while the load does not, memory breaks into pieces.
    None where nobody tells."""
    planned: int | None = None
    """Of the limit, what batches are planned with."""


@dataclass(frozen=True, slots=True)
class ProcessBudget:
    """What batches are planned with, and what the process may touch at most. In bytes."""

    planned: int
    ceiling: int
    promised: int = 0
    """Of what is planned with: what the process does not hold yet and will, such as remembered answers."""
    limit: int | None = None
    """Of what the plan and the ceiling are parts, where they are."""

    def room(self) -> int:
        """What is left of the plan."""
        return max(0, self.planned - self.promised - private_bytes())

    def left(self) -> int:
        """What is left for batches of a process that serves: below the ceiling, but for half of what is between that
        and the plan. What was promised is among what the process holds, or will be."""
        spared = max(0, self.ceiling - self.planned) // 2
        return max(0, self.ceiling - spared - private_bytes())

    def hold(self, threads_to_come: int = 0) -> None:
        """Has allocations above the ceiling fail, by the soft RLIMIT_DATA.

        The stack of a thread is mapped whole and hardly touched: `threads_to_come` more of them have their place. To be
        repeated once they are there, for until then the limit is that much too high.
        """
        untouched = max(0, data_bytes() - private_bytes()) + threads_to_come * _stack_bytes()
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (self.ceiling + untouched, hard))


def container_limit(told: int | None, cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """The lower of the limit the pod was told and its cgroup's; None where neither sets one."""
    limits = [limit for limit in (told, _cgroup_limit(cgroup)) if limit is not None]
    return min(limits, default=None)


def _cgroup_limit(cgroup: Path) -> int | None:
    for file in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        try:
            limit = int(file.read_text())
        except (OSError, ValueError):
            continue
        # Version 1 writes a number near 2^63 for "no limit".
        return limit if limit < 1 << 60 else None
    return None


def process_budget(limit: int, percent: int, promised: int = 0, workers: int = 1) -> ProcessBudget:
    """`percent` of `limit` bytes to plan with, of which `promised` are not for batches. Raises MemoryBudgetError when
    the process takes as much already; `workers` tells it whether the limit is the container's or a part of it."""
    budget = limit * percent // 100
    in_use = private_bytes()
    if in_use >= budget:
        whose = "the memory limit" if workers == 1 else f"each of {workers} workers' part of the memory limit"
        raise MemoryBudgetError(
            f"{percent} % of {whose} of {limit >> 20} MiB is {budget >> 20} MiB, but the server needs "
            f"{in_use >> 20} MiB before it loads a model; raise spec.server.resources.limits.memory"
            + (", or lower PLIMSOLL_DEVICES" if workers > 1 else "")
        )
    return ProcessBudget(budget, limit * ceiling_percent(percent) // 100, promised, limit)


def ceiling_percent(planned: int) -> int:
    """Where an allocation fails, if batches are planned with `planned` percent."""
    return min(planned + _SLACK_PERCENT, _MOST_PERCENT)


def data_bytes() -> int:
    """What RLIMIT_DATA counts: private writable memory, touched or not."""
    for line in _status():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def room_left() -> int | None:
    """Bytes below the soft limit, less a little; None where there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return None if soft == resource.RLIM_INFINITY else max(0, soft - data_bytes() - _HEADROOM)


def _stack_bytes() -> int:
    """Of a thread that the C library starts."""
    soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
    return _USUAL_STACK if soft == resource.RLIM_INFINITY else soft


def unused_bytes() -> int | None:
    """What the C library's allocator holds free in all its arenas; None for libraries other than GNU's 2.33."""
    tell = _allocator_info()
    return None if tell is None else int(tell().fordblks)


@cache
def _allocator_info() -> Callable[[], Any] | None:
    tell = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if tell is not None:
        tell.restype = _AllocatorInfo
    return tell


class _AllocatorInfo(ctypes.Structure):
    """struct mallinfo2 of mallinfo(3)."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in _ALLOCATOR_FIELDS)


def private_bytes() -> int:
    """What the process has touched and nobody can take back: what a cgroup counts, less the pages of files."""
    return 1024 * sum(int(line.split()[1]) for line in _status() if line.startswith(_PRIVATE_FIELDS))


def _status() -> list[str]:
    return os.pread(_status_file(), _STATUS_BYTES, 0).decode().splitlines()


@cache
def _status_file() -> int:
    """Kept open: what a process holds is looked at twice a second, also while it may open no file more."""
    return os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)


# A forked process would be told of its parent.
os.register_at_fork(after_in_child=_status_file.cache_clear)
