"""What a process grows by while it serves is none for its batches: real memory, really touched."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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


@pytest.fixture
def data_limit() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    yield
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


@pytest.mark.parametrize(
    ("grown", "left"),
    [
        pytest.param(0, 200, id="it has not"),
        pytest.param(30, 200, id="by less than half of the slack"),
        pytest.param(150, 100, id="by more: batches get less, and half of the slack stays"),
        pytest.param(350, 0, id="by all that there was: one text at a time"),
    ],
)
def test_batches_get_what_a_process_that_has_grown_leaves(grown: int, left: int) -> None:
    clock = Clock()
    between, line = watched(clock)
    taken = b"x" * (grown * MEBIBYTE)
    between.look()
    assert room(line) == pytest.approx(left * MEBIBYTE, abs=NOISE)
    assert line.now().sequences(planned=8, max_tokens=1024) >= 1
    del taken
    clock.passes()
    between.look()
    assert room(line) == ROOM, "what was given back is theirs again, and no more"


def test_what_is_only_kept_is_given_back_before_batches_get_less() -> None:
    kept = [b""]
    between, line = watched(Clock(), free=kept.clear)
    kept[0] = b"x" * (150 * MEBIBYTE)
    between.look()
    assert room(line) == ROOM


def test_it_is_not_looked_at_with_every_batch() -> None:
    clock = Clock()
    between, line = watched(clock)
    between.look()
    taken = b"x" * ROOM
    between.look()
    assert room(line) == ROOM
    clock.passes()
    between.look()
    assert room(line) < ROOM
    del taken


def test_nothing_is_lowered_where_nothing_was_measured() -> None:
    line = Line()
    BetweenBatches(ProcessBudget(0, 0), line, give_all_back).look()
    assert line.now().tokens is None


@pytest.mark.usefixtures("data_limit")
def test_what_has_been_touched_since_is_no_longer_above_the_ceiling() -> None:
    """Else so much could be taken beyond it before an allocation fails: up to the container's limit, and the kill."""
    clock, heap = Clock(), Heap(SLACK)
    between, _ = watched(clock, budget=ProcessBudget(AMPLE, AMPLE))
    between.look()
    before = counted_as_untouched()
    heap.touch()
    clock.passes()
    between.look()
    assert before - counted_as_untouched() == pytest.approx(SLACK, abs=NOISE)


@pytest.mark.usefixtures("data_limit")
def test_what_is_given_back_of_a_heap_is_for_the_next_batch_and_not_above_the_ceiling() -> None:
    heap = Heap(SLACK)
    between, _ = watched(Clock(), free=heap.give_back, budget=AlmostFull(AMPLE, AMPLE))
    heap.touch()
    between.look()
    assert untouched() - counted_as_untouched() == pytest.approx(SLACK, abs=NOISE)


async def test_an_engine_looks_once_its_batch_is_over(tmp_path: Path) -> None:
    config = ModelConfig(location=str(random_model(tmp_path)))
    model = load_model(config, choose_placement(config))
    with ThreadPoolExecutor(1) as worker:
        engine = Engine(model, worker, AlmostFull(AMPLE, AMPLE))
        await engine.calibrate([1, 4, 2], longest=64, together=128)
        before = engine.line().room
        await engine.run([[1, 4, 2]])
    assert before is not None
    assert before > 7 * MEBIBYTE
    assert engine.line().room == 7 * MEBIBYTE
