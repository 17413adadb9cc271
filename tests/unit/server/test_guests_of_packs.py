"""Which short packs run while long ones do, through a scheduler whose engine is held by the test."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from plimsoll_server.scheduler.errors import GivenUpError
from plimsoll_server.scheduler.options import Options
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.types import LoadLine
from scheduler_builders import HeldEngine, Observed, scheduling, until, words

TIERS = (Tier("short", 16, 4, 4), Tier("middle", 64, 4, 4), Tier("long", 2048, 1, 1))
LONG = 1598
"""Words of a text of 1,600 tokens; an eighth of them is 200."""


def plan(engine: HeldEngine) -> list[tuple[list[int], bool]]:
    return [(held.lengths, held.between) for held in engine.held]


async def test_a_short_text_runs_within_the_long_one_and_is_answered_first(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine, tiers=TIERS, policy="Native") as scheduler:
        long = asyncio.create_task(scheduler.answer_texts([words(LONG)]))
        await until(lambda: len(engine.held) == 1)
        short = asyncio.create_task(scheduler.answer_texts([words(3)], Options(raw=True)))
        await until(lambda: len(engine.held) == 2)
        engine.finish(1)
        assert (await short)[0].scores == (5.0,)
        assert not long.done()
        engine.release()
        await long
    assert plan(engine) == [([1600], False), ([5], True)]


@pytest.mark.parametrize(("tokens", "within"), [(1024, False), (1025, True)])
async def test_nothing_runs_within_a_pack_that_is_no_longer_than_one_of_short_texts(
    tmp_path: Path, tokens: int, within: bool
) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine, tiers=TIERS, policy="Native") as scheduler:
        asks = [asyncio.create_task(scheduler.answer_texts([words(tokens - 2)]))]
        await until(lambda: len(engine.held) == 1)
        asks.append(asyncio.create_task(scheduler.answer_texts([words(3)])))
        await until(lambda: len(engine.held) == 2 or scheduler.queued_tokens()["short"] == 5)
        for _ in range(10):
            await asyncio.sleep(0)
        engine.release()
        await asyncio.gather(*asks)
    assert plan(engine) == [([tokens], False), ([5], within)]


async def test_one_guest_at_a_time_and_the_next_is_formed_when_it_may_run(tmp_path: Path) -> None:
    """Between two layers there is one; what comes meanwhile shares the next one."""
    engine = HeldEngine()
    async with scheduling(tmp_path, engine, tiers=TIERS, policy="Native") as scheduler:
        asks = [asyncio.create_task(scheduler.answer_texts([words(LONG)]))]
        await until(lambda: len(engine.held) == 1)
        asks.append(asyncio.create_task(scheduler.answer_texts([words(3)])))
        await until(lambda: len(engine.held) == 2)
        asks += [asyncio.create_task(scheduler.answer_texts([words(number)])) for number in (4, 5)]
        await until(lambda: scheduler.queued_tokens()["short"] == 6 + 7)
        engine.finish(1)
        await until(lambda: len(engine.held) == 3)
        engine.release()
        await asyncio.gather(*asks)
    assert plan(engine) == [([1600], False), ([5], True), ([6, 7], True)]


@pytest.mark.parametrize(
    ("words_of_it", "line", "runs"),
    [
        pytest.param(3, LoadLine(), True, id="short"),
        pytest.param(398, LoadLine(), True, id="alone up to a quarter"),
        pytest.param(399, LoadLine(), False, id="more than a quarter"),
        pytest.param(3, LoadLine(bytes_per_token=1, room=1605), True, id="just within the line"),
        pytest.param(3, LoadLine(bytes_per_token=1, room=1604), False, id="beyond the line with the long one"),
    ],
)
async def test_a_guest_is_short_beside_the_pack_it_runs_within_and_both_are_within_the_line(
    tmp_path: Path, words_of_it: int, line: LoadLine, runs: bool
) -> None:
    engine = HeldEngine(now=line)
    async with scheduling(tmp_path, engine, tiers=TIERS, policy="Native") as scheduler:
        asks = [asyncio.create_task(scheduler.answer_texts([words(LONG)]))]
        await until(lambda: len(engine.held) == 1)
        asks.append(asyncio.create_task(scheduler.answer_texts([words(words_of_it)])))
        await until(lambda: len(engine.held) == 2 or sum(scheduler.queued_tokens().values()) == words_of_it + 2)
        for _ in range(10):
            await asyncio.sleep(0)
        assert (len(engine.held) == 2) is runs
        engine.release()
        await asyncio.gather(*asks)


@pytest.mark.parametrize(
    ("planned", "factor", "runs"),
    [
        pytest.param(False, 1.0, True, id="nobody has counted: the tiers run beside each other, as configured"),
        pytest.param(True, 1.0, False, id="the plan vouches for the longest text and no more"),
        pytest.param(False, 0.5, False, id="memory ran out, and less is trusted"),
    ],
)
async def test_without_a_measured_line_a_guest_runs_beside_the_longest_text_unless_a_plan_says_otherwise(
    tmp_path: Path, planned: bool, factor: float, runs: bool
) -> None:
    tiers = (Tier("short", 16, 4, 4, planned), Tier("long", 1600, 1, 1, planned))
    engine = HeldEngine(now=LoadLine(factor=factor))
    async with scheduling(tmp_path, engine, tiers=tiers, policy="Native") as scheduler:
        asks = [asyncio.create_task(scheduler.answer_texts([words(LONG)]))]
        await until(lambda: len(engine.held) == 1)
        asks.append(asyncio.create_task(scheduler.answer_texts([words(3)])))
        await until(lambda: len(engine.held) == 2 or scheduler.queued_tokens()["short"] == 5)
        for _ in range(10):
            await asyncio.sleep(0)
        assert (len(engine.held) == 2) is runs
        engine.release()
        await asyncio.gather(*asks)


async def test_the_engine_knows_how_long_the_callers_of_a_batch_wait_and_when_the_last_is_gone(tmp_path: Path) -> None:
    """Or it would finish what nobody wants, and let nobody in meanwhile."""
    engine = HeldEngine()
    async with scheduling(tmp_path, engine, tiers=TIERS, policy="Native") as scheduler:
        before = time.monotonic()
        long = asyncio.create_task(scheduler.answer_texts([words(LONG)], Options(timeout_seconds=3)))
        await until(lambda: len(engine.held) == 1)
        audience = engine.held[0].audience
        assert audience is not None
        assert before + 3 <= audience.until <= time.monotonic() + 3
        with pytest.raises(GivenUpError):
            await long
        await until(lambda: audience.gone)
        short = asyncio.create_task(scheduler.answer_texts([words(3)]))
        await until(lambda: len(engine.held) == 2)
        engine.finish(1)
        await short
        engine.release()
    assert plan(engine) == [([1600], False), ([5], True)]


async def test_a_batch_that_was_ended_on_its_way_says_nothing_of_the_model(tmp_path: Path) -> None:
    engine, observed = HeldEngine(), Observed()
    async with scheduling(tmp_path, engine, tiers=TIERS, policy="Native", observer=observed) as scheduler:
        for number in range(6):
            leaving = asyncio.create_task(scheduler.answer_texts([words(LONG)]))
            await until(lambda number=number: len(engine.held) == number + 1)  # type: ignore[misc]
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            engine.abandon(number)
            await until(lambda number=number: len(observed.batches) == number + 1)  # type: ignore[misc]
        assert not scheduler.circuit_open()
        engine.release()
        assert await scheduler.answer_texts([words(3)])


async def test_every_device_runs_a_pack_of_its_own_and_then_guests_come(tmp_path: Path) -> None:
    engine = HeldEngine(devices=2)
    async with scheduling(tmp_path, engine, tiers=TIERS, policy="Native") as scheduler:
        asks = []
        for number, size in enumerate((LONG, LONG, 3, 4, 5), 1):
            asks.append(asyncio.create_task(scheduler.answer_texts([words(size)])))
            await until(lambda number=number: len(engine.held) == min(number, 4))  # type: ignore[misc]
        assert plan(engine) == [([1600], False), ([1600], False), ([5], True), ([6], True)]
        await until(lambda: scheduler.queued_tokens()["short"] == 7)
        engine.release()
        await asyncio.gather(*asks)


async def test_a_device_that_comes_back_is_given_what_waits(tmp_path: Path) -> None:
    """Nobody says so: it is seen when the gauges are published, twice a second."""
    engine = HeldEngine()
    async with scheduling(tmp_path, engine, tiers=TIERS, policy="Native") as scheduler:
        asks = [asyncio.create_task(scheduler.answer_texts([words(LONG)])) for _ in range(2)]
        await until(lambda: scheduler.queued_tokens()["long"] == 1600)
        engine.devices = 2
        scheduler.saturation()
        await until(lambda: len(engine.held) == 2)
        engine.release()
        await asyncio.gather(*asks)


async def test_long_texts_get_their_turn_while_short_ones_never_end(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine, tiers=TIERS, policy="Native") as scheduler:

        async def keep_asking() -> None:
            while True:
                await scheduler.answer_texts([words(14)])

        crowd = [asyncio.create_task(keep_asking()) for _ in range(12)]
        await until(lambda: len(engine.held) >= 1)
        long = [asyncio.create_task(scheduler.answer_texts([words(LONG)])) for _ in range(3)]
        await until(lambda: scheduler.queued_tokens()["long"] == 4800)
        engine.release(30)
        await until(lambda: all(task.done() for task in long))
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        engine.release()
