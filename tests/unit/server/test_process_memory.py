"""What a process may take: between the plan and the limit."""

from __future__ import annotations

import ctypes

import pytest

from plimsoll_server.engine.process_memory import (
    MemoryBudgetError,
    ProcessBudget,
    private_bytes,
    process_budget,
    unused_bytes,
)

MEBIBYTE = 1 << 20


@pytest.mark.parametrize(
    ("percent", "ceiling"),
    [pytest.param(50, 60, id="half"), pytest.param(85, 95, id="the default"), pytest.param(100, 95, id="all of it")],
)
def test_allocations_fail_somewhat_above_the_plan_and_before_the_limit(percent: int, ceiling: int) -> None:
    limit = 100 * (private_bytes() // 10)
    assert process_budget(limit, percent) == ProcessBudget(limit * percent // 100, limit * ceiling // 100)


def test_a_limit_below_what_the_server_needs_is_refused_with_both_numbers() -> None:
    with pytest.raises(
        MemoryBudgetError, match=r"85 % of the memory limit of 16 MiB is 13 MiB, but the server needs \d+"
    ):
        process_budget(16 * MEBIBYTE, 85)


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
