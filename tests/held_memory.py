"""A heap in the small, and what the limit of this process says of it."""

from __future__ import annotations

import mmap
import resource

from plimsoll_server.engine.process_memory import data_bytes, private_bytes

MEBIBYTE = 1 << 20
AMPLE = 1 << 40
"""A ceiling that no test comes near."""


class Heap:
    """Mapped as the allocator's are, and not touched yet."""

    def __init__(self, size: int) -> None:
        self._memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def touch(self) -> None:
        for page in range(0, len(self._memory), mmap.PAGESIZE):
            self._memory[page] = 1

    def give_back(self) -> None:
        """As the allocator does: it stays mapped."""
        self._memory.madvise(mmap.MADV_DONTNEED)


def counted_as_untouched() -> int:
    """By the limit that is set, for a ceiling of `AMPLE`."""
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return soft - AMPLE


def untouched() -> int:
    return data_bytes() - private_bytes()
