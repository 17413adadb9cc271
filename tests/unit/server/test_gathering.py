"""Callers who come back together share a pack, and nobody waits long for the others."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest

from plimsoll_server.scheduler import gathering as module
from plimsoll_server.scheduler.gathering import Gathering
from plimsoll_server.scheduler.lanes import MAX_BATCH
from plimsoll_server.scheduler.pace import Pace
from plimsoll_server.scheduler.scheduler import Scheduler
from scheduler_builders import HeldEngine, scheduling, until, words


def test_after_a_pack_the_next_is_held_until_those_it_answered_are_back() -> None:
    gathering = Gathering()
    gathering.pack_ended(100.0, seconds=0.5, answered=7, waiting=1)
    assert [gathering.holds(100.001, waiting) for waiting in (0, 1, 7, 8, 9)] == [True, True, True, False, False]


def test_it_is_held_for_a_hundredth_of_the_packs_time_and_ten_milliseconds_at_most() -> None:
    gathering = Gathering()
    gathering.pack_ended(100.0, seconds=0.5, answered=7, waiting=1)
    assert gathering.holds(100.0049, 1)
    assert not gathering.holds(100.0051, 1)
    gathering.pack_ended(200.0, seconds=30.0, answered=7, waiting=1)
    assert gathering.holds(200.0099, 1)
    assert not gathering.holds(200.0101, 1)


def test_nobody_is_waited_for_before_the_first_pack_and_after_one_of_a_single_text() -> None:
    gathering = Gathering()
    assert not gathering.holds(0.0, 0)
    gathering.pack_ended(100.0, seconds=0.5, answered=1, waiting=0)
    assert not gathering.holds(100.0, 0)


def test_nobody_is_waited_for_where_as_many_wait_as_share_a_pack() -> None:
    gathering = Gathering()
    gathering.pack_ended(100.0, seconds=0.5, answered=MAX_BATCH, waiting=MAX_BATCH)
    assert gathering.holds(100.001, MAX_BATCH - 1)
    assert not gathering.holds(100.001, MAX_BATCH)


@pytest.mark.parametrize(
    ("devices", "tokens"), [(2, 4), (1, 12)], ids=["another device runs", "a pack of tokens waits"]
)
async def test_a_device_is_not_held_where_no_caller_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, devices: int, tokens: int
) -> None:
    monkeypatch.setattr(module, "_SHARE", 1e6)
    monkeypatch.setattr(module, "_MOST_SECONDS", 60.0)
    monkeypatch.setattr(Pace, "worthwhile_tokens", 10.0)
    engine = HeldEngine(devices=devices)
    async with scheduling(tmp_path, engine) as scheduler:
        first = [asyncio.create_task(scheduler.answer_texts([words(1)])) for _ in range(2 * devices)]
        await until(lambda: sum(len(batch) for batch in engine.batches) == 2 * devices)
        asks = [*first, asyncio.create_task(scheduler.answer_texts([words(tokens - 2)]))]
        running = len(engine.batches)
        await until(lambda: sum(scheduler.queued_tokens().values()) == tokens)
        engine.finish(0)
        # It runs though those that were answered do not come back.
        await until(lambda: len(engine.batches) == running + 1)
        engine.release()
        await asyncio.gather(*asks)


async def test_callers_who_send_one_text_after_the_other_share_every_pack_but_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As long as it takes on any machine, for it ends once all are there.
    monkeypatch.setattr(module, "_SHARE", 1e6)
    monkeypatch.setattr(module, "_MOST_SECONDS", 60.0)
    engine = HeldEngine()

    async def ask_on_and_on(scheduler: Scheduler, own: int) -> None:
        for number in itertools.count():
            await scheduler.answer_texts([words(1 + own + 4 * (number % 3))])

    async with scheduling(tmp_path, engine) as scheduler:
        callers = [asyncio.create_task(ask_on_and_on(scheduler, 0))]
        await until(lambda: len(engine.batches) == 1)
        callers += [asyncio.create_task(ask_on_and_on(scheduler, own)) for own in (1, 2, 3)]
        await until(lambda: sum(scheduler.queued_tokens().values()) == 4 + 5 + 6)
        engine.release(6)
        await until(lambda: len(engine.batches) == 7)
        for caller in callers:
            caller.cancel()
        engine.release()
        await asyncio.gather(*callers, return_exceptions=True)
    assert [len(batch) for batch in engine.batches[:7]] == [1, 3, 4, 4, 4, 4, 4]
