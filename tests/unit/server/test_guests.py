"""Short batches within a long one: between two of its layers, and nobody's answer is touched by it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from plimsoll_server.audience import Audience
from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.engine import Engine
from plimsoll_server.engine.guests import Guests
from plimsoll_server.models.family import Between, Model, Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.models.location import locate
from plimsoll_server.types import BatchReport, Calibration, Failure, LabelLogits, Output, Tokens

IMPOSSIBLE = 1 << 60
LONG = [[1, *range(4, 250), *range(4, 250), 2], [1, *range(20, 120), 2]]
SHORT = [[1, 7, 9, 2], [1, *range(30, 60), 2]]


def answered(*values: float) -> BatchReport:
    return BatchReport(tuple(LabelLogits((value,)) for value in values))


def echo(batch: Sequence[Tokens]) -> BatchReport:
    return answered(*map(len, batch))


def test_one_guest_runs_at_each_boundary_the_first_come_first() -> None:
    guests = Guests(echo)
    reports = [guests.add([[1] * length]) for length in (3, 5)]
    guests.serve_one_within()
    assert [report.done() for report in reports] == [True, False]
    guests.serve_one_within()
    assert [report.result(0) for report in reports] == [answered(3), answered(5)]


def test_nobody_waits_is_no_trouble() -> None:
    guests = Guests(echo)
    guests.serve_one_within()
    guests.serve_one()


def test_a_guest_whose_caller_is_gone_is_not_run() -> None:
    ran: list[Sequence[Tokens]] = []
    guests = Guests(lambda batch: ran.append(batch) or echo(batch))  # type: ignore[func-returns-value]
    gone, here = guests.add([[1]]), guests.add([[1, 2]])
    assert gone.cancel()
    guests.serve_one_within()
    assert here.result(0) == answered(2)
    assert ran == [[[1, 2]]]


def test_a_fault_in_a_guest_is_its_own() -> None:
    def faulty(batch: Sequence[Tokens]) -> BatchReport:
        raise RuntimeError("shapes cannot be multiplied")

    guests = Guests(faulty)
    reports = [guests.add([[1]]), guests.add([[1]])]
    guests.serve_one_within()
    guests.serve_one()
    for report in reports:
        with pytest.raises(RuntimeError, match="shapes"):
            report.result(0)


def test_a_guest_without_memory_beside_the_other_batch_gets_its_turn_when_that_is_done() -> None:
    beside = [True]
    guests = Guests(lambda batch: BatchReport((Failure.OUT_OF_MEMORY,), True) if beside[0] else echo(batch))
    crowded, later = guests.add([[1]]), guests.add([[1, 2]])
    guests.serve_one_within()
    assert not crowded.done(), "there may be memory for it later"
    beside[0] = False
    guests.serve_one()
    assert (crowded.result(0), later.done()) == (answered(1), False)
    guests.serve_one()
    assert later.result(0) == answered(2)


def test_a_guest_that_does_not_fit_alone_is_told_so() -> None:
    guests = Guests(lambda batch: BatchReport((Failure.OUT_OF_MEMORY,), True))
    report = guests.add([[1]])
    guests.serve_one_within()
    guests.serve_one()
    assert report.result(0).outcomes == (Failure.OUT_OF_MEMORY,)


class Held:
    """A model that stops at each boundary of its ordinary batches until the test lets it go on; `within` says what
    happens to a batch that runs within another."""

    def __init__(self, model: Model, within: Callable[[], None] = lambda: None) -> None:
        self.info = model.info
        self.at_boundary, self.go_on = threading.Event(), threading.Event()
        self.within = within
        self._model, self._depth = model, 0

    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        if self._depth:
            self.within()
        self._depth += 1
        try:
            # Of one that runs within another it is only told that it comes on.
            return self._model.forward(batch, self._held(between) if between and batch == LONG else between)
        finally:
            self._depth -= 1

    def _held(self, between: Between) -> Between:
        def boundary() -> None:
            self.at_boundary.set()
            assert self.go_on.wait(60)
            between()

        return boundary


@pytest.fixture(scope="module")
def model(random_folder: Path) -> Model:
    location = str(random_folder)
    placement = Placement(torch.device("cpu"), torch.float32, "sdpa")
    return load_model(ModelConfig(location=location), placement, locate(location))


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def short_within_long(engine: Engine, held: Held) -> tuple[BatchReport, BatchReport, bool]:
    """The reports of the long batch and of the short one, and whether the long one was still running at its end."""
    long = asyncio.create_task(engine.run(LONG))
    assert await asyncio.to_thread(held.at_boundary.wait, 60)
    short = asyncio.create_task(engine.run(SHORT, between=True))
    await asyncio.sleep(0)
    held.go_on.set()
    first, _ = await asyncio.wait({short, long}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    return await long, await short, short in first


async def test_a_short_batch_runs_within_a_long_one_and_both_answers_are_what_they_are_alone(
    model: Model, worker: ThreadPoolExecutor
) -> None:
    alone = [await Engine(model, worker).run(batch) for batch in (LONG, SHORT)]
    held = Held(model)
    long, short, within = await short_within_long(Engine(held, worker), held)
    assert within
    assert [long, short] == alone, "to the bit"


async def test_a_short_batch_runs_at_once_when_nothing_else_does(model: Model, worker: ThreadPoolExecutor) -> None:
    engine = Engine(model, worker)
    assert await engine.run(SHORT, between=True) == await engine.run(SHORT)


async def test_a_shortage_within_a_long_batch_costs_neither_its_answer_and_lowers_the_line(
    model: Model, worker: ThreadPoolExecutor
) -> None:
    """The line is lowered for what ran together: alone, the short batch would have been far below it."""

    def no_memory() -> None:
        torch.empty(IMPOSSIBLE)

    alone = [await Engine(model, worker).run(batch) for batch in (LONG, SHORT)]
    held = Held(model, within=no_memory)
    engine = Engine(held, worker)
    together = sum(map(len, [*LONG, *SHORT]))  # as deep as the line
    engine._line.calibrated(Calibration(1, 0, room=together, seconds=0, trials=()))
    long, short, _ = await short_within_long(engine, held)
    assert (long.outcomes, short.outcomes) == (alone[0].outcomes, alone[1].outcomes)
    assert 0.1 < engine.line().factor < 0.9


async def test_a_caller_that_leaves_takes_nothing_along(model: Model, worker: ThreadPoolExecutor) -> None:
    held = Held(model)
    engine = Engine(held, worker)
    long = asyncio.create_task(engine.run(LONG))
    assert await asyncio.to_thread(held.at_boundary.wait, 60)
    leaving = asyncio.create_task(engine.run(SHORT, between=True))
    await asyncio.sleep(0)
    leaving.cancel()
    held.go_on.set()
    assert (await long).outcomes == (await engine.run(LONG)).outcomes
    assert leaving.cancelled()


async def test_a_long_batch_that_nobody_waits_for_any_more_ends_before_its_next_layer(
    model: Model, worker: ThreadPoolExecutor
) -> None:
    alone = await Engine(model, worker).run(LONG)
    held = Held(model)
    engine, audience = Engine(held, worker), Audience()
    long = asyncio.create_task(engine.run(LONG, audience=audience))
    assert await asyncio.to_thread(held.at_boundary.wait, 60)
    audience.leave()
    held.go_on.set()
    assert (await long).abandoned
    assert (await engine.run(LONG)).outcomes == alone.outcomes, "nothing of it is left behind"


async def test_a_suspect_engine_proves_itself_within_a_long_batch_and_its_doubt_does_not_grow_with_it(
    model: Model, worker: ThreadPoolExecutor
) -> None:
    """Or each long text would take the pod out of service, and one of a minute have it restarted."""

    class Tight(Held):
        def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
            if batch == [[1, 2, 3]]:
                torch.empty(IMPOSSIBLE)
            return super().forward(batch, between)

    held = Tight(model)
    engine = Engine(held, worker)
    held.go_on.set()
    await engine.start(LONG[1], SHORT[0], probe=SHORT[0])
    for _ in range(5):
        await engine.run([[1, 2, 3]])
    assert engine.suspect_seconds() > 0
    held.go_on.clear()
    held.at_boundary.clear()
    held.within = held.go_on.clear
    long = asyncio.create_task(engine.run(LONG))
    assert await asyncio.to_thread(held.at_boundary.wait, 60)
    doubt = engine.suspect_seconds()
    await asyncio.sleep(0.05)
    assert engine.suspect_seconds() == doubt > 0
    held.go_on.set()
    async with asyncio.timeout(60):
        while not await engine.proves_itself():
            pass
    assert not long.done()
    held.go_on.set()
    await long
