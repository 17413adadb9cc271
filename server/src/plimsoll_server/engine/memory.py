"""The memory of the device, and what to do when there is no more. What a process may hold is in `process_memory`."""

from __future__ import annotations

import ctypes
import gc
from dataclasses import dataclass
from typing import Protocol

import torch

from plimsoll_server.engine.process_memory import DeviceMemory, ceiling_percent, private_bytes, room_left, unused_bytes

_NO_MEMORY_MESSAGES = (
    "can't allocate memory",  # the allocator of torch on a CPU
    "bad_alloc",  # the C++ library's, through torch
    "could not create a memory object",  # oneDNN
    "DFTI ERROR: Not enough memory",  # MKL, of a Fourier transform
    "out of memory",  # CUDA outside of torch's own allocator
    "ALLOC_FAILED",  # cuBLAS, cuDNN
    "can't start new thread",  # Python, without memory for its stack
)

_NO_KERNEL_MESSAGE = "could not create a primitive"
"""oneDNN's. It has no other for a machine that lets nobody write code, where no limit need be set."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""
_KEPT = 32 << 20
"""Bytes that may stay free at the end of a heap: what a layer takes for one slice of its rows. Mapped anew for each of
them, it took a seventh of all time."""
_KEPT_PART, _LEAST_KEPT = 64, 2 << 20
"""Of the memory limit no more than a 64th, for there are a few heaps."""


class Budget(Protocol):
    """What batches may take. In bytes."""

    @property
    def planned(self) -> int: ...
    @property
    def ceiling(self) -> int:
        """Above it an allocation fails."""

    @property
    def promised(self) -> int:
        """Of what is planned with, what is not for batches and not taken yet."""

    @property
    def limit(self) -> int | None:
        """Of what the plan and the ceiling are parts."""

    def room(self) -> int:
        """What is left of the plan."""

    def left(self) -> int:
        """What is left for batches, whatever else has taken memory since the plan was made."""

    def hold(self, threads_to_come: int = 0) -> None:
        """Has allocations fail that go beyond it, but for the stacks of so many more threads."""


@dataclass(frozen=True, slots=True)
class CudaBudget:
    """`percent` of a GPU's memory to plan with, and somewhat more before an allocation fails: the allocator reserves
    blocks, and what is free within them may be of no use to the next batch."""

    device: torch.device
    percent: int

    @property
    def planned(self) -> int:
        return self.limit * self.percent // 100

    @property
    def ceiling(self) -> int:
        return self.limit * ceiling_percent(self.percent) // 100

    @property
    def promised(self) -> int:
        """Answers are remembered in the memory of the host."""
        return 0

    @property
    def limit(self) -> int:
        return torch.cuda.get_device_properties(self.device).total_memory

    def room(self) -> int:
        free, _ = torch.cuda.mem_get_info(self.device)
        allocated, reserved = torch.cuda.memory_allocated(self.device), torch.cuda.memory_reserved(self.device)
        # The card may be shared with others.
        return max(0, min(self.planned - allocated, free + reserved - allocated))

    def left(self) -> int:
        """Only batches take a GPU's memory."""
        return self.planned

    def hold(self, threads_to_come: int = 0) -> None:  # noqa: ARG002  no thread has its stack on a GPU
        torch.cuda.set_per_process_memory_fraction(ceiling_percent(self.percent) / 100, self.device)


def device_memory(device: torch.device, budget: Budget | None) -> DeviceMemory:
    planned = None if budget is None else budget.planned
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return DeviceMemory(total - free, total, unused, planned)
    return DeviceMemory(private_bytes(), None if budget is None else budget.limit, unused_bytes(), planned)


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if is_want_of_a_kernel(error):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _NO_MEMORY_MESSAGES)


def is_want_of_a_kernel(error: BaseException) -> bool:
    """Whether there was no memory for the code of a kernel. The thread that it happened on makes none any more."""
    return isinstance(error, RuntimeError) and str(error) == _NO_KERNEL_MESSAGE and room_left() is not None


def return_large_blocks(limit: int) -> None:
    """Has the C library map each large block by itself, and give it back when it is freed. `limit`: of the process.

    By default it raises that threshold as it goes, up to 32 MiB, and twice as much of what a batch has freed stays with
    the process, where it counts against the limit and is of no use to anything larger.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # absent from C libraries other than GNU's
        kept = min(_KEPT, max(_LEAST_KEPT, limit // _KEPT_PART))
        mallopt(_M_MMAP_THRESHOLD, kept // 2)
        mallopt(_M_TRIM_THRESHOLD, kept)


def free_memory(device: torch.device) -> None:
    """Gives back what a failed batch left: garbage first, then what the allocators keep for later."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # absent from C libraries other than GNU's
        trim(0)
