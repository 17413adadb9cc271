"""When the circuit opens, whom it lets through, and what closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from plimsoll_server.audience import Audience
from plimsoll_server.scheduler.breaker import Breaker
from plimsoll_server.scheduler.cache.answer_cache import AnswerCache
from plimsoll_server.scheduler.cache.memory import MemoryCache
from plimsoll_server.scheduler.errors import InvalidInputError, ModelFaultError, NonFiniteError, NotServingError
from plimsoll_server.types import BatchReport, Failure, LabelLogits, Outcome, Tokens
from scheduler_builders import HeldEngine, scheduling, words


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Device:
    ill: bool

    def answer(self, tokens: Tokens) -> Outcome:
        if self.ill:
            raise RuntimeError("CUDA error: device-side assert triggered")
        return LabelLogits((1.0,))


def broken(clock: Clock, faults: int = 5) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(faults):
        breaker.batch_done(faulty=True)
    return breaker


def lets_through(breaker: Breaker) -> bool:
    try:
        breaker.check()
    except NotServingError:
        return False
    return True


def test_four_faults_in_a_row_are_not_enough() -> None:
    assert lets_through(broken(Clock(), faults=4))


def test_a_batch_that_runs_in_between_begins_the_count_anew() -> None:
    breaker = broken(Clock(), faults=4)
    breaker.batch_done(faulty=False)
    for _ in range(4):
        breaker.batch_done(faulty=True)
    assert lets_through(breaker)


def test_after_five_faults_requests_are_refused_and_told_when_to_come_back() -> None:
    with pytest.raises(NotServingError, match="failed at 5 batches in a row") as refused:
        broken(Clock()).check()
    assert refused.value.retry_after == 5


def test_after_the_pause_one_request_is_let_through() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 5
    assert [lets_through(breaker) for _ in range(3)] == [True, False, False]


def test_a_trial_that_runs_closes_the_circuit() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 5
    breaker.check()
    breaker.batch_done(faulty=False)
    assert not breaker.open
    assert lets_through(breaker)


def test_each_trial_that_fails_doubles_the_pause_up_to_a_minute() -> None:
    clock = Clock()
    breaker = broken(clock)
    pauses = []
    for _ in range(6):
        began = clock.now
        while not lets_through(breaker):
            clock.now += 1
        pauses.append(clock.now - began)
        breaker.batch_done(faulty=True)
    assert pauses == [5, 10, 20, 40, 60, 60]


def test_a_trial_of_which_nothing_is_heard_is_followed_by_another() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 5
    breaker.check()
    clock.now += 5
    assert lets_through(breaker)


def test_what_was_queued_when_the_circuit_opened_does_not_lengthen_the_pause() -> None:
    clock = Clock()
    breaker = broken(clock, faults=20)
    clock.now += 5
    assert lets_through(breaker)


def test_a_trial_that_ends_before_a_batch_of_it_ran_hands_its_turn_on() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 5
    refused = breaker.check()
    breaker.ended(refused)
    assert [lets_through(breaker) for _ in range(2)] == [True, False]


def test_a_turn_that_was_handed_on_and_one_whose_batch_runs_are_not_given_back() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 5
    earlier = breaker.check()
    clock.now += 5
    later = breaker.check()
    breaker.ended(earlier)
    assert not lets_through(breaker), "the later one is the trial now"
    breaker.batch_begins()
    breaker.ended(later)
    assert not lets_through(breaker)


def test_a_batch_that_no_device_was_given_says_nothing_of_the_model_and_hands_the_turn_on() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 5
    breaker.check()
    breaker.batch_begins()
    breaker.batch_not_tried()
    assert breaker.open
    assert [lets_through(breaker) for _ in range(2)] == [True, False]


async def test_a_text_that_no_worker_is_given_does_not_close_the_circuit(tmp_path: Path) -> None:
    class Refusing(HeldEngine):
        async def run(
            self, batch: Sequence[Tokens], *, between: bool = False, audience: Audience | None = None
        ) -> BatchReport:
            return BatchReport((Failure.MODEL_FAULT,) * len(batch), tried=False)

    engine = Refusing()
    async with scheduling(tmp_path, engine) as scheduler:
        clock = Clock()
        scheduler._breaker._clock = clock
        for _ in range(5):
            scheduler._breaker.batch_done(faulty=True)
        clock.now += 5
        for _ in range(2):
            with pytest.raises(ModelFaultError):
                await scheduler.answer_texts([words(1)])
        assert scheduler.circuit_open()


async def test_an_invalid_text_at_an_open_circuit_leaves_the_trial_to_the_next_request(tmp_path: Path) -> None:
    device = Device(ill=True)
    engine = HeldEngine(device.answer)
    engine.release()
    async with scheduling(tmp_path, engine) as scheduler:
        for _ in range(5):
            with pytest.raises(ModelFaultError):
                await scheduler.answer_texts([words(1)])
        device.ill = False
        scheduler._breaker._next_try = 0.0
        for _ in range(3):
            with pytest.raises(InvalidInputError):
                await scheduler.answer_texts([" "])
        assert scheduler.circuit_open()
        assert await scheduler.answer_texts([words(1)])
        assert not scheduler.circuit_open()


async def test_an_engine_that_fails_at_everything_is_left_in_peace_and_remembered_answers_are_given(
    tmp_path: Path,
) -> None:
    device = Device(ill=False)
    engine = HeldEngine(device.answer)
    engine.release()
    async with scheduling(tmp_path, engine, cache=AnswerCache(MemoryCache(1 << 20, 300))) as scheduler:
        await scheduler.answer_texts(["sea"])
        device.ill = True
        for _ in range(5):
            with pytest.raises(ModelFaultError):
                await scheduler.answer_texts([words(1)])
        assert scheduler.circuit_open()
        with pytest.raises(NotServingError):
            await scheduler.answer_texts([words(1)])
        assert len(engine.held) == 7, "and an ordinary text, before it is left in peace"
        assert await scheduler.answer_texts(["sea"])


async def test_an_ordinary_text_without_an_answer_keeps_no_circuit_closed(tmp_path: Path) -> None:
    """Where memory has run out it says nothing of the model, and five batches in a row do."""

    def answer(tokens: Tokens) -> Outcome:
        if len(tokens) > 50:
            raise RuntimeError("CUDA error: device-side assert triggered")
        return Failure.OUT_OF_MEMORY

    engine = HeldEngine(answer)
    engine.release()
    async with scheduling(tmp_path, engine) as scheduler:
        for _ in range(5):
            with pytest.raises(ModelFaultError):
                await scheduler.answer_texts([words(60)])
        assert len(engine.held) == 6, "an ordinary text was tried"
        assert scheduler.circuit_open()


async def test_texts_that_give_no_finite_number_open_no_circuit(tmp_path: Path) -> None:
    engine = HeldEngine(lambda tokens: Failure.NON_FINITE)
    engine.release()
    async with scheduling(tmp_path, engine) as scheduler:
        results = [await asyncio.gather(scheduler.answer_texts([words(1)]), return_exceptions=True) for _ in range(8)]
    assert {type(result) for (result,) in results} == {NonFiniteError}
