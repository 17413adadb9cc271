"""What a process may take: between the plan and the limit."""

from __future__ import annotations

import ctypes
import os
import resource
import threading

import pytest
import torch

from plimsoll_server.engine.memory import device_memory
from plimsoll_server.engine.process_memory import (
    MemoryBudgetError,
    ProcessBudget,
    private_bytes,
    process_budget,
    room_left,
    unused_bytes,
)

MEBIBYTE = 1 << 20


@pytest.mark.parametrize(
    ("percent", "ceiling"),
    [pytest.param(50, 60, id="half"), pytest.param(85, 95, id="the default"), pytest.param(100, 95, id="all of it")],
)
def test_allocations_fail_somewhat_above_the_plan_and_before_the_limit(percent: int, ceiling: int) -> None:
    limit = 100 * (private_bytes() // 10)
    assert process_budget(limit, percent) == ProcessBudget(limit * percent // 100, limit * ceiling // 100, limit=limit)


def test_the_limit_is_told_apart_from_what_is_planned_of_it() -> None:
    limit = 100 * (private_bytes() // 10)
    told = device_memory(torch.device("cpu"), process_budget(limit, 85))
    assert (told.limit, told.planned) == (limit, limit * 85 // 100)
    assert 0 < told.used < limit
    unlimited = device_memory(torch.device("cpu"), None)
    assert (unlimited.limit, unlimited.planned) == (None, None)


@pytest.mark.parametrize(
    ("workers", "told"),
    [
        pytest.param(1, r"85 % of the memory limit of 16 MiB is 13 MiB, .* needs \d+ .*memory$", id="of the container"),
        pytest.param(
            2,
            r"85 % of each of 2 workers' part of the memory limit of 16 MiB is 13 MiB, .*, or lower PLIMSOLL_DEVICES$",
            id="of a worker",
        ),
    ],
)
def test_a_limit_below_what_the_server_needs_is_refused_with_both_numbers(workers: int, told: str) -> None:
    with pytest.raises(MemoryBudgetError, match=told):
        process_budget(16 * MEBIBYTE, 85, workers=workers)


def test_what_is_promised_beside_batches_is_no_room_for_them() -> None:
    ample = 1 << 40
    free = ProcessBudget(ample, ample).room() - ProcessBudget(ample, ample, promised=ample // 2).room()
    assert free == pytest.approx(ample // 2, abs=16 * MEBIBYTE)
    assert ProcessBudget(ample, ample, promised=ample).room() == 0


def test_threads_that_are_still_to_start_find_room_for_their_stacks_and_nothing_else_does() -> None:
    """They map what they hardly touch: eight of them would take the ten megabytes that are left here."""
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    over = threading.Event()
    threads = [threading.Thread(target=over.wait) for _ in range(8)]
    ceiling = private_bytes() + 10 * MEBIBYTE
    try:
        ProcessBudget(ceiling, ceiling).hold(threads_to_come=len(threads))
        for thread in threads:
            thread.start()
        ProcessBudget(ceiling, ceiling).hold()
        assert (room_left() or 0) < 12 * MEBIBYTE
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)
        over.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(60)


def test_what_the_allocator_holds_free_is_seen() -> None:
    """Every second one of small blocks is given back: what is free lies between what is not."""
    library = ctypes.CDLL(None)
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    blocks = [library.malloc(4000) for _ in range(4000)]
    before = unused_bytes()
    for block in blocks[::2]:
        library.free(block)
    after = unused_bytes()
    for block in blocks[1::2]:
        library.free(block)
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(2000 * 4000, rel=0.1)


def test_what_is_held_is_known_while_no_file_more_may_be_open() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = private_bytes()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        with pytest.raises(OSError, match="Too many open files"):
            os.open("/proc/self/status", os.O_RDONLY)
        assert private_bytes() == pytest.approx(before, abs=16 * MEBIBYTE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
