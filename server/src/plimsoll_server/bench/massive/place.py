"""Where it is measured: a device, the memory that may be taken of it, and how quick it is at a product of matrices."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from plimsoll_server.engine.cpus import usable_cpus
from plimsoll_server.engine.memory import return_large_blocks
from plimsoll_server.engine.meter import CudaMeter, Meter, ProcessMeter
from plimsoll_server.engine.process_memory import ProcessBudget, container_limit, private_bytes

_USED_PERCENT = 95
_SIDE = 1024
"""Of the matrices whose product is timed."""
_PRODUCTS = 5
_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class Place:
    device: torch.device
    dtype: torch.dtype
    meter: Meter
    room: Callable[[], int]
    """Bytes that are left now."""
    flops_per_second: float

    def seconds(self, work: Callable[[], object]) -> float:
        """By the clock, until the device has done it."""
        return _seconds(self.device, work)


@contextmanager
def settled(device: torch.device, dtype: torch.dtype) -> Iterator[Place]:
    """On a CPU with as many threads as may run, and a limit below that of the container or of the machine: what goes
    beyond it is an exception here, and nobody is killed. Afterwards both are as they were."""
    if device.type == "cuda":
        yield Place(device, dtype, CudaMeter(device), lambda: _cuda_room(device), _rate(device, dtype))
        return
    threads, limits = torch.get_num_threads(), resource.getrlimit(resource.RLIMIT_DATA)
    torch.set_num_threads(usable_cpus())
    try:
        rate = _rate(device, dtype)
        ceiling = _memory_limit() * _USED_PERCENT // 100
        return_large_blocks(ceiling)
        # Once the threads are there, for their stacks are mapped whole and hardly touched.
        ProcessBudget(planned=ceiling, ceiling=ceiling).hold()
        yield Place(device, dtype, ProcessMeter(), lambda: max(0, ceiling - private_bytes()), rate)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)
        torch.set_num_threads(threads)


def _memory_limit() -> int:
    """What this process may hold: its container's limit, or with what it holds all that the machine has left."""
    available = next(line for line in _MEMINFO.read_text().splitlines() if line.startswith("MemAvailable:"))
    machine = private_bytes() + int(available.split()[1]) * 1024
    return min(machine, container_limit(None) or machine)


def _cuda_room(device: torch.device) -> int:
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def _rate(device: torch.device, dtype: torch.dtype) -> float:
    """The best of a few, after one that does not count."""
    one, other = (torch.randn(_SIDE, _SIDE, device=device).to(dtype) for _ in range(2))
    seconds = [_seconds(device, lambda: one @ other) for _ in range(_PRODUCTS + 1)]
    return 2.0 * _SIDE**3 / min(seconds[1:])


def _seconds(device: torch.device, work: Callable[[], object]) -> float:
    _wait(device)
    began = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
