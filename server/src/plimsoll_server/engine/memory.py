"""The memory of the device, and what to do when there is no more. What a process may hold is in `process_memory`."""

from __future__ import annotations

import ctypes
import gc

import torch

from plimsoll_server.engine.process_memory import DeviceMemory, ProcessBudget, private_bytes

_NO_MEMORY_MESSAGES = (
    "can't allocate memory",  # the allocator of torch on a CPU
    "bad_alloc",  # the C++ library's, through torch
    "could not create a memory object",  # oneDNN
    "out of memory",  # CUDA outside of torch's own allocator
    "ALLOC_FAILED",  # cuBLAS, cuDNN
)

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""


def hold_cuda_below(percent: int) -> None:
    torch.cuda.set_per_process_memory_fraction(percent / 100)


def device_memory(device: torch.device, budget: ProcessBudget | None) -> DeviceMemory:
    """`budget`: of the process, where there is one; a GPU's is asked for."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return DeviceMemory(total - free, total)
    return DeviceMemory(private_bytes(), None if budget is None else budget.planned)


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _NO_MEMORY_MESSAGES)


def return_large_blocks() -> None:
    """Has the C library map each block of a megabyte and more by itself, and give it back when it is freed.

    By default it raises that threshold as it goes, up to 32 MiB, and what a batch has freed stays with the process,
    where it counts against the limit and is of no use to anything larger.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # absent from C libraries other than GNU's
        for parameter in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
            mallopt(parameter, 1 << 20)


def free_memory(device: torch.device) -> None:
    """Gives back what a failed batch left: garbage first, then what the allocators keep for later."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # absent from C libraries other than GNU's
        trim(0)
