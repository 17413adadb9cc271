"""What a process grows by while it serves is none for its batches: real memory, really touched."""

from __future__ import annotations

import asyncio
import gc
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import torch

from held_memory import AMPLE, MEBIBYTE, Heap, counted_as_untouched, untouched
from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.between_batches import BetweenBatches
from plimsoll_server.engine.device import choose_placement
from plimsoll_server.engine.engine import Engine
from plimsoll_server.engine.line import Line
from plimsoll_server.engine.memory import free_memory
from plimsoll_server.engine.process_memory import ProcessBudget, private_bytes
from plimsoll_server.models.load import load_model
from plimsoll_server.types import Calibration
from server_builders import random_model

SLACK = 100 * MEBIBYTE
"""Between the plan and the ceiling: half of it is spared for what comes between two looks."""
ROOM = 200 * MEBIBYTE
NOISE = 8 * MEBIBYTE


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now

    def passes(self) -> None:
        self.now += 10


class Unheld(ProcessBudget):
    """Of a process that is not kept from more: a test that has passed the ceiling goes on with its work."""

    def hold(self, threads_to_come: int = 0) -> None:
        pass


class AlmostFull(ProcessBudget):
    """Of a process that has grown until only 7 MiB are left."""

    def left(self) -> int:
        return 7 * MEBIBYTE


@contextmanager
def data_limit() -> Iterator[None]:
    """As it was before, at the end."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def give_all_back() -> None:
    gc.collect()
    free_memory(torch.device("cpu"))


def watched(
    clock: Clock, free: Callable[[], None] = give_all_back, budget: ProcessBudget | None = None
) -> tuple[BetweenBatches, Line]:
    """Of a process that may take 200 MiB more for batches by its plan, and has nothing left of the tests before."""
    give_all_back()
    planned = private_bytes() + ROOM
    line = Line(clock)
    line.calibrated(Calibration(bytes_per_token=MEBIBYTE, bytes_per_batch=0, room=ROOM, seconds=1.0, trials=()))
    return BetweenBatches(budget or Unheld(planned, planned + SLACK), line, free, clock), line


def room(line: Line) -> int:
    found = line.now().room
    assert found is not None
    return found


def rooms_of_one_that_grows(mebibytes: int) -> tuple[int, int, int]:
    """Of batches when it has grown, how many sequences they may have then, and of batches when that is given back."""
    clock = Clock()
    between, line = watched(clock)
    taken = b"x" * (mebibytes * MEBIBYTE)
    between.look()
    less, sequences = room(line), line.now().sequences(planned=8, max_tokens=1024)
    del taken
    clock.passes()
    between.look()
    return less, sequences, room(line)


@pytest.mark.parametrize(
    ("grown", "left"),
    [
        pytest.param(0, 200, id="it has not"),
        pytest.param(30, 200, id="by less than half of the slack"),
        pytest.param(150, 100, id="by more: batches get less, and half of the slack stays"),
        pytest.param(350, 0, id="by all that there was: one text at a time"),
    ],
)
def test_batches_get_what_a_process_that_has_grown_leaves(fresh: Executor, grown: int, left: int) -> None:
    less, sequences, again = fresh.submit(rooms_of_one_that_grows, grown).result(timeout=240)
    assert less == pytest.approx(left * MEBIBYTE, abs=NOISE)
    assert sequences >= 1
    assert again == ROOM, "what was given back is theirs again, and no more"


def room_where_something_is_kept(mebibytes: int) -> int:
    kept = [b""]
    between, line = watched(Clock(), free=kept.clear)
    kept[0] = b"x" * (mebibytes * MEBIBYTE)
    between.look()
    return room(line)


def test_what_is_only_kept_is_given_back_before_batches_get_less(fresh: Executor) -> None:
    assert fresh.submit(room_where_something_is_kept, 150).result(timeout=240) == ROOM


def rooms_at_once_and_later() -> tuple[int, int]:
    """When it has grown since the last look, and when some time has passed as well."""
    clock = Clock()
    between, line = watched(clock)
    between.look()
    taken = b"x" * ROOM
    between.look()
    at_once = room(line)
    clock.passes()
    between.look()
    del taken
    return at_once, room(line)


def test_it_is_not_looked_at_with_every_batch(fresh: Executor) -> None:
    at_once, later = fresh.submit(rooms_at_once_and_later).result(timeout=240)
    assert at_once == ROOM
    assert later < ROOM


def test_nothing_is_lowered_where_nothing_was_measured() -> None:
    line = Line()
    BetweenBatches(ProcessBudget(0, 0), line, give_all_back).look()
    assert line.now().tokens is None


def counted_less_once_it_is_touched(size: int) -> int:
    with data_limit():
        clock, heap = Clock(), Heap(size)
        between, _ = watched(clock, budget=ProcessBudget(AMPLE, AMPLE))
        between.look()
        before = counted_as_untouched()
        heap.touch()
        clock.passes()
        between.look()
        return before - counted_as_untouched()


def test_what_has_been_touched_since_is_no_longer_above_the_ceiling(fresh: Executor) -> None:
    """Else so much could be taken beyond it before an allocation fails: up to the container's limit, and the kill."""
    assert fresh.submit(counted_less_once_it_is_touched, SLACK).result(timeout=240) == pytest.approx(SLACK, abs=NOISE)


def kept_for_a_heap(size: int) -> int:
    """What is given back of it and not counted as untouched."""
    with data_limit():
        heap = Heap(size)
        between, _ = watched(Clock(), free=heap.give_back, budget=AlmostFull(AMPLE, AMPLE))
        heap.touch()
        between.look()
        return untouched() - counted_as_untouched()


def test_what_is_given_back_of_a_heap_is_for_the_next_batch_and_not_above_the_ceiling(fresh: Executor) -> None:
    assert fresh.submit(kept_for_a_heap, SLACK).result(timeout=240) == pytest.approx(SLACK, abs=NOISE)


@asynccontextmanager
async def almost_full_engine(folder: Path) -> AsyncIterator[tuple[Engine, int]]:
    """And the room that was measured, when nobody had looked yet."""
    config = ModelConfig(location=str(random_model(folder)))
    model = load_model(config, choose_placement(config))
    with data_limit(), ThreadPoolExecutor(1) as worker:
        engine = Engine(model, worker, AlmostFull(AMPLE, AMPLE))
        await engine.calibrate([1, 4, 2], longest=64, together=128)
        measured = engine.line().room
        assert measured is not None
        assert measured > 7 * MEBIBYTE
        yield engine, measured


async def test_an_engine_looks_once_its_batch_is_over(tmp_path: Path) -> None:
    async with almost_full_engine(tmp_path) as (engine, _):
        await engine.run([[1, 4, 2]])
        assert engine.line().room == 7 * MEBIBYTE


async def test_an_idle_engine_looks_where_texts_starve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch comes then after which it would."""
    monkeypatch.setattr("plimsoll_server.engine.engine._IDLE_LOOK_SECONDS", 0.05)
    room = AMPLE
    monkeypatch.setattr("plimsoll_server.engine.engine.room_left", lambda: room)
    async with almost_full_engine(tmp_path) as (engine, measured):
        keeping = asyncio.create_task(engine.keep())
        await asyncio.sleep(1.5)
        assert engine.line().room == measured, "an idle engine with room is left alone"
        room = 0
        async with asyncio.timeout(60):
            while engine.line().room != 7 * MEBIBYTE:  # noqa: ASYNC110  it tells nobody
                await asyncio.sleep(0.05)
        keeping.cancel()
