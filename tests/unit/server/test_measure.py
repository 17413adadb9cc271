"""The load line as the server measures it: real memory, really touched."""

from __future__ import annotations

import pytest
import torch

from plimsoll_server.engine.measure import bytes_per_token
from plimsoll_server.engine.memory import return_large_blocks
from plimsoll_server.engine.process_memory import MemoryBudgetError, ProcessBudget, private_bytes, process_budget
from plimsoll_server.scheduler.tiers import Tier, held_to
from plimsoll_server.types import LoadLine

MEBIBYTE = 1 << 20
AMPLE = 1 << 40


@pytest.fixture(autouse=True, scope="module")
def as_the_server_does() -> None:
    return_large_blocks()


def taking(per_token: int, tokens: int, batches: list[int]) -> object:
    def forward(sequences: int) -> None:
        batches.append(sequences)
        torch.ones(sequences * tokens * per_token, dtype=torch.uint8)

    return forward


@pytest.mark.parametrize("per_token", [8_000, 60_000], ids=["a small model", "a large one"])
def test_what_a_token_takes_is_what_the_kernel_saw(per_token: int) -> None:
    batches: list[int] = []
    measured = bytes_per_token(taking(per_token, 512, batches), 512, AMPLE)  # type: ignore[arg-type]
    assert measured == pytest.approx(per_token, rel=0.2)
    assert batches == sorted(batches), "from small to large"
    assert batches[-1] * 512 * per_token < 128 * MEBIBYTE, "no more than it takes to tell"


def test_a_batch_that_might_not_fit_is_not_tried() -> None:
    batches: list[int] = []
    bytes_per_token(taking(80_000, 512, batches), 512, 60 * MEBIBYTE)  # type: ignore[arg-type]
    assert batches == [1], "forty megabytes of sixty: twice as much has no room"


@pytest.mark.parametrize(("fits", "measured"), [(2, True), (0, False)], ids=["after two that fitted", "at once"])
def test_a_trial_that_runs_out_of_memory_is_no_reason_not_to_start(fits: int, measured: bool) -> None:
    take = taking(20_000, 512, [])

    def forward(sequences: int) -> None:
        torch.empty(1 << 60 if sequences > fits else 1)
        take(sequences)  # type: ignore[operator]

    assert (bytes_per_token(forward, 512, AMPLE) is not None) is measured


def tier(name: str, tokens: int, limit: int) -> Tier:
    return Tier(name, tokens, 32, limit)


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        pytest.param(1000 * MEBIBYTE, (32, 16), id="enough for what was planned"),
        pytest.param(64 * MEBIBYTE, (32, 8), id="the measured line is lower"),
        pytest.param(1 * MEBIBYTE, (2, 1), id="what is open stays open for one"),
        pytest.param(0, (1, 1), id="no room at all"),
    ],
)
def test_a_tier_runs_the_lower_of_plan_and_measurement(room: int, expected: tuple[int, int]) -> None:
    tiers = held_to(LoadLine(8192, room), [tier("short", 64, 32), tier("long", 1024, 16)])
    assert tuple(held.running_limit for held in tiers) == expected
    assert [held.concurrency for held in tiers] == [32, 32], "what decides how texts are cut is left alone"


def test_a_tier_that_the_plan_has_closed_stays_closed() -> None:
    [held] = held_to(LoadLine(1, AMPLE), [tier("long", 1024, 0)])
    assert held.running_limit == 0


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
