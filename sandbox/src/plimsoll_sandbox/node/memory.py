"""Memory limits, held against what a container's processes really use.

What counts is what the kernel could not take back by itself: anonymous and shared memory, and what of it was swapped
out. Pages of files (libraries, weights that are mapped) are not counted, as a cgroup would drop those before it kills.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

_INTERVAL_SECONDS = 0.25
_QUICK_FIELDS = ("RssAnon:", "RssShmem:", "VmSwap:")
_EXACT_FIELDS = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")


@dataclass(frozen=True)
class Limit:
    """`exceeded` is called with the bytes in use, at each look until the limit is lifted."""

    root: int
    bytes: int
    exceeded: Callable[[int], None]


class MemoryWatch:
    """Looks at all limited containers of the agent four times a second."""

    def __init__(self) -> None:
        self._limits: dict[int, Limit] = {}

    def put(self, limit: Limit) -> None:
        self._limits[limit.root] = limit

    def lift(self, root: int) -> None:
        self._limits.pop(root, None)

    async def keep(self) -> None:
        """Never returns."""
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            if self._limits:
                self.look()

    def look(self) -> None:
        trees = process_trees(self._limits)
        for limit in list(self._limits.values()):
            used = bytes_in_use(trees[limit.root], limit.bytes)
            if used > limit.bytes:
                limit.exceeded(used)


def process_trees(roots: Iterable[int]) -> dict[int, set[int]]:
    """All processes of each root: those in its session, and descendants that left it."""
    table = dict(_process_table())
    trees = {root: {root} for root in roots}
    # Parents are mostly older, but numbers wrap around: follow each process up until a root is met.
    for pid, (parent, session) in table.items():
        if session in trees:
            trees[session].add(pid)
            continue
        ancestor, steps = parent, 0
        while ancestor in table and ancestor not in trees and steps < len(table):
            ancestor, steps = table[ancestor][0], steps + 1
        if ancestor in trees:
            trees[ancestor].add(pid)
    return trees


def bytes_in_use(pids: Iterable[int], enough: int) -> int:
    """Memory of all these processes together. Pages that they share count once; exact only above `enough`.

    Adding up each one's resident pages is cheap and never too low; only when that exceeds `enough`, and there are
    several, the kernel is asked for proportional shares, for which it walks their page tables.
    """
    known = list(pids)
    quick = sum(_fields(f"/proc/{pid}/status", _QUICK_FIELDS) for pid in known)
    if quick <= enough or len(known) == 1:
        return quick
    return sum(_fields(f"/proc/{pid}/smaps_rollup", _EXACT_FIELDS) for pid in known)


def _process_table() -> Iterable[tuple[int, tuple[int, int]]]:
    """(pid, (parent, session)) of every process."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            yield int(entry.name), (int(fields[1]), int(fields[3]))


def _fields(path: str, names: tuple[str, ...]) -> int:
    """Sum of the named lines in bytes; 0 for a process that has ended."""
    try:
        text = Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return 1024 * sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(names))
