"""A text that the model fails at, among others: it is found by halves, and a model that fails at everything is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from failed_frames import watched
from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.engine import Engine
from plimsoll_server.engine.recovery import ForwardError, run_with_recovery
from plimsoll_server.models.errors import LeakError
from plimsoll_server.models.family import Between, Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.scheduler.errors import ModelFaultError
from plimsoll_server.scheduler.options import Options
from plimsoll_server.types import BatchReport, Failure, LabelLogits, Outcome, Output, Tokens
from scheduler_builders import FORBIDDEN, INFO, scheduling, words

POISON, HUGE = 5, 6
IMPOSSIBLE = 1 << 60


class Forward:
    """Fails at a batch that holds POISON, and asks the real allocator for an exabyte where it holds HUGE."""

    def __init__(self, fault: Callable[[], Exception] = lambda: RuntimeError("shapes cannot be multiplied")) -> None:
        self.batches: list[Sequence[Tokens]] = []
        self._fault = fault

    def __call__(self, batch: Sequence[Tokens]) -> list[Outcome]:
        self.batches.append(batch)
        torch.empty(IMPOSSIBLE if any(HUGE in tokens for tokens in batch) else 1)
        if any(POISON in tokens for tokens in batch):
            raise self._fault()
        return [LabelLogits((float(len(tokens)),)) for tokens in batch]


def run(forward: Forward, batch: Sequence[Tokens]) -> BatchReport:
    return run_with_recovery(forward, batch, lambda _: None)


def batch_of(size: int, poisoned: Sequence[int]) -> list[Tokens]:
    return [[POISON if place in poisoned else 1] * (place + 1) for place in range(size)]


@pytest.mark.parametrize(
    ("size", "poisoned", "forwards"),
    [
        pytest.param(2, (0,), 3, id="one of two"),
        pytest.param(32, (0,), 11, id="the first of a full batch"),
        pytest.param(32, (31,), 11, id="the last"),
        pytest.param(7, (3,), 7, id="of an odd number"),
        pytest.param(32, (0, 31), 19, id="two far apart"),
        pytest.param(32, (6, 7), 13, id="two beside each other"),
    ],
)
def test_only_what_the_model_fails_at_is_lost(size: int, poisoned: tuple[int, ...], forwards: int) -> None:
    forward = Forward()
    report = run(forward, batch_of(size, poisoned))
    assert list(report.outcomes) == [
        Failure.MODEL_FAULT if place in poisoned else LabelLogits((place + 1.0,)) for place in range(size)
    ]
    assert not report.out_of_memory
    assert len(forward.batches) <= forwards


def test_a_model_that_fails_at_everything_is_not_asked_about_each_text() -> None:
    forward = Forward()
    with pytest.raises(ForwardError, match="RuntimeError: shapes cannot be multiplied"):
        run(forward, batch_of(32, range(32)))
    assert len(forward.batches) <= 21
    assert sum(map(len, forward.batches)) <= 4 * 32


def test_what_runs_is_answered_even_where_more_texts_fail_than_are_looked_for() -> None:
    report = run(Forward(), batch_of(32, range(16)))
    assert report.outcomes[:16] == (Failure.MODEL_FAULT,) * 16
    assert report.outcomes[16:] == tuple(LabelLogits((place + 1.0,)) for place in range(16, 32))


def test_a_shortage_and_a_fault_in_one_batch_are_each_their_own() -> None:
    report = run(Forward(), [[1], [POISON], [1, 1], [HUGE]])
    assert report.outcomes == (
        LabelLogits((1.0,)),
        Failure.MODEL_FAULT,
        LabelLogits((2.0,)),
        Failure.OUT_OF_MEMORY,
    )
    assert report.out_of_memory


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(LeakError("attention ran twice"), id="texts that may have seen each other"),
        pytest.param(TypeError("forward() takes 2 arguments"), id="an error of the program"),
    ],
)
def test_what_is_no_texts_doing_ends_the_batch_at_once(fault: Exception) -> None:
    forward = Forward(lambda: fault)
    with pytest.raises(type(fault)):
        run(forward, batch_of(8, (3,)))
    assert len(forward.batches) == 1


def test_nothing_of_a_batch_that_failed_is_held_while_its_halves_run() -> None:
    alive: list[bool] = []
    forward = Forward()
    run_with_recovery(watched(forward, alive), batch_of(4, (0,)), lambda _: None)
    assert alive == [False] * 5


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def test_a_real_model_answers_the_neighbours_of_a_token_that_it_has_no_row_for(
    topic_folder: Path, worker: ThreadPoolExecutor
) -> None:
    model = load_model(ModelConfig(location=str(topic_folder)), Placement(torch.device("cpu"), torch.float32, "sdpa"))
    engine = Engine(model, worker)
    good = [[1, 4, 2], [1, 4, 4, 2], [1, 2]]
    alone = await engine.run(good)
    report = await engine.run([*good[:2], [1, model.info.vocabulary, 2], good[2]])
    assert report.outcomes == (*alone.outcomes[:2], Failure.MODEL_FAULT, alone.outcomes[2])


class Picky:
    """Fails at a batch that holds what `dislikes` says."""

    info = INFO

    def __init__(self, dislikes: Callable[[Tokens], bool]) -> None:
        self._dislikes = dislikes

    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        if any(map(self._dislikes, batch)):
            raise RuntimeError("CUDA error: invalid configuration argument")
        return [LabelLogits((float(len(tokens)),)) for tokens in batch]


async def test_neighbours_of_a_text_that_always_fails_are_answered_and_the_circuit_stays_closed(
    tmp_path: Path, worker: ThreadPoolExecutor
) -> None:
    engine = Engine(Picky(lambda tokens: FORBIDDEN in tokens), worker)
    async with scheduling(tmp_path, engine) as scheduler:
        for number in range(6):
            sound, poisoned = await asyncio.gather(
                scheduler.answer_texts([words(2)], Options(raw=True)),
                scheduler.answer_texts(["forbidden " * (number + 1)]),
                return_exceptions=True,
            )
            assert isinstance(poisoned, ModelFaultError)
            assert not isinstance(sound, BaseException)
            assert sound[0].scores == (4.0,)
        assert not scheduler.circuit_open()


async def test_texts_that_fail_one_by_one_take_nobody_elses_answers(tmp_path: Path, worker: ThreadPoolExecutor) -> None:
    async with scheduling(tmp_path, Engine(Picky(lambda tokens: FORBIDDEN in tokens), worker)) as scheduler:
        for number in range(12):
            with pytest.raises(ModelFaultError):
                await scheduler.answer_texts(["forbidden " * (number + 1)])
            assert not scheduler.circuit_open()
        assert await scheduler.answer_texts([words(2)])


async def test_a_circuit_that_is_open_closes_with_an_engine_that_runs_even_where_the_trial_fails_by_itself(
    tmp_path: Path, worker: ThreadPoolExecutor
) -> None:
    ill = True
    engine = Engine(Picky(lambda tokens: ill or FORBIDDEN in tokens), worker)
    async with scheduling(tmp_path, engine) as scheduler:
        for _ in range(5):
            with pytest.raises(ModelFaultError):
                await scheduler.answer_texts([words(1)])
        assert scheduler.circuit_open()
        ill = False
        scheduler._breaker._next_try = 0.0
        with pytest.raises(ModelFaultError):
            await scheduler.answer_texts(["forbidden"])
        assert not scheduler.circuit_open()


async def test_a_model_that_fails_at_all_of_five_packs_opens_the_circuit(
    tmp_path: Path, worker: ThreadPoolExecutor
) -> None:
    async with scheduling(tmp_path, Engine(Picky(lambda _: True), worker)) as scheduler:
        for _ in range(5):
            with pytest.raises(ModelFaultError):
                await scheduler.answer_texts([words(1), words(2), words(3)])
        assert scheduler.circuit_open()
