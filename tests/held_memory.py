"""A heap in the small, and what the limit of this process says of it."""

from __future__ import annotations

import ctypes
import mmap
import resource

from plimsoll_server.engine.process_memory import data_bytes, private_bytes

MEBIBYTE = 1 << 20
AMPLE = 1 << 40
"""A ceiling that no test comes near."""


_BLOCK = 64 << 10


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


class Scattered:
    """Small blocks of the allocator's, touched, of which a few stay: what lies between them is given back to the kernel
    and stays mapped."""

    def __init__(self, size: int) -> None:
        self._library = ctypes.CDLL(None)
        self._library.malloc.restype, self._library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        self._library.free.argtypes = [ctypes.c_void_p]
        self._blocks = [self._library.malloc(_BLOCK) for _ in range(size // _BLOCK)]
        for block in self._blocks:
            ctypes.memset(block, 1, _BLOCK)

    def give_back(self) -> None:
        for number, block in enumerate(self._blocks):
            if number % 16:
                self._library.free(block)
        self._blocks = self._blocks[::16]
        self._library.malloc_trim(0)


def counted_as_untouched() -> int:
    """By the limit that is set, for a ceiling of `AMPLE`."""
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return soft - AMPLE


def untouched() -> int:
    return data_bytes() - private_bytes()
