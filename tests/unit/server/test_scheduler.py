"""Requests on their way through a scheduler whose engine is held by the test."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from operator import mul
from pathlib import Path

import pytest

from plimsoll_server.scheduler.errors import (
    DeadlineError,
    InvalidInputError,
    ModelFaultError,
    NonFiniteError,
    OutOfMemoryError,
    OverloadedError,
)
from plimsoll_server.scheduler.options import Options
from plimsoll_server.scheduler.saturation import WINDOW_SECONDS
from plimsoll_server.types import (
    Embedding,
    Failure,
    LabelLogits,
    LoadLine,
    Outcome,
    Tokens,
    Uncertainty,
)
from scheduler_builders import FORBIDDEN, SEA, HeldEngine, queue_holds, scheduling, until, words
from server_builders import CLS, SEP


async def test_requests_that_wait_while_a_batch_runs_form_the_next_one(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        asks = [asyncio.create_task(scheduler.answer_texts([words(1)], Options(raw=True)))]
        await until(lambda: len(engine.batches) == 1)
        asks += [
            asyncio.create_task(scheduler.answer_texts([words(number)], Options(raw=True))) for number in (2, 3, 4)
        ]
        await until(lambda: sum(scheduler.queued_tokens().values()) == 4 + 5 + 6)
        engine.release()
        answers = [(await ask)[0].scores for ask in asks]
    assert answers == [(3.0,), (4.0,), (5.0,), (6.0,)]
    assert [len(batch) for batch in engine.batches] == [1, 3]


async def test_tiers_take_turns(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        asks = [asyncio.create_task(scheduler.answer_texts([words(1)]))]
        await until(lambda: len(engine.batches) == 1)
        for number, waiting in ((30, 32), (30, 64), (10, 76), (11, 89)):
            asks.append(asyncio.create_task(scheduler.answer_texts([words(number)])))
            await until(partial(queue_holds, scheduler, waiting))
        engine.release()
        await asyncio.gather(*asks)
    assert [[len(tokens) for tokens in batch] for batch in engine.batches] == [[3], [32], [12, 13], [32]]


async def test_a_caller_that_left_is_never_run(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        first = asyncio.create_task(scheduler.answer_texts([words(1)]))
        await until(lambda: len(engine.batches) == 1)
        leaver, stayer = (asyncio.create_task(scheduler.answer_texts([words(number)])) for number in (7, 8))
        await until(lambda: scheduler.queued_tokens()["short"] == 9 + 10)
        leaver.cancel()
        await until(lambda: scheduler.queued_tokens()["short"] == 10)
        engine.release()
        await asyncio.gather(first, stayer)
    assert [[len(tokens) for tokens in batch] for batch in engine.batches] == [[3], [10]]


async def test_a_full_queue_refuses_and_loses_nobody(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        asks = [asyncio.create_task(scheduler.answer_texts([words(60)])) for _ in range(12)]
        await until(lambda: sum(ask.done() for ask in asks) > 0)
        engine.release()
        results = await asyncio.gather(*asks, return_exceptions=True)
    refused = [result for result in results if isinstance(result, OverloadedError)]
    answered = [result for result in results if not isinstance(result, BaseException)]
    assert len(refused) + len(answered) == 12
    assert len(answered) >= 4
    assert all(error.retry_after and error.tier == "long" for error in refused)


async def test_a_text_of_many_chunks_is_admitted_once_and_leaves_room_for_others(tmp_path: Path) -> None:
    """More chunks than the queue has places: they follow each other, and a short text is served among them."""
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        whole = asyncio.create_task(scheduler.answer_texts([words(800)]))
        await until(lambda: len(engine.batches) == 1)
        other = asyncio.create_task(scheduler.answer_texts([words(2)]))
        await until(lambda: scheduler.queued_tokens()["short"] == 4)
        engine.release(4)
        await asyncio.wait_for(other, 15)
        assert not whole.done()
        engine.release()
        (answer,) = await asyncio.wait_for(whole, 15)
    assert answer.chunks > 29
    assert max(len(batch) for batch in engine.batches) <= 4


async def test_a_batch_of_texts_is_answered_in_its_order(tmp_path: Path) -> None:
    engine = HeldEngine()
    engine.release()
    async with scheduling(tmp_path, engine) as scheduler:
        answers = await scheduler.answer_texts([words(number) for number in (40, 1, 20, 2)], Options(raw=True))
    assert [answer.scores for answer in answers] == [(42.0,), (3.0,), (22.0,), (4.0,)]
    assert [answer.tier.name for answer in answers] == ["long", "short", "long", "short"]


async def test_chunks_of_one_text_are_weighed_by_what_they_add(tmp_path: Path) -> None:
    """Raw scores are the chunks' lengths, so the mean tells how much each of them counted."""
    engine = HeldEngine()
    engine.release()
    async with scheduling(tmp_path, engine) as scheduler:
        answer = (await scheduler.answer_texts([words(100)], Options(raw=True)))[0]
    lengths = [len(tokens) for batch in engine.batches for tokens in batch]
    overlap = 4
    added = [lengths[0] - 2, *(length - 2 - overlap for length in lengths[1:])]
    assert answer.scores[0] == pytest.approx(sum(a * b for a, b in zip(lengths, added, strict=True)) / 100, abs=0.5)
    assert (answer.chunks, answer.tokens, answer.truncated_tokens) == (len(lengths), 102, 0)


async def test_a_long_texts_embedding_is_the_mean_of_its_chunks_by_what_they_add(tmp_path: Path) -> None:
    engine = HeldEngine(lambda tokens: Embedding((float(len(tokens)), 1.0)))
    engine.release()
    async with scheduling(tmp_path, engine) as scheduler:
        (answer,) = await scheduler.answer_texts([words(100)])
    (length, *others), overlap = [len(tokens) for batch in engine.batches for tokens in batch], 4
    added = [length - 2, *(other - 2 - overlap for other in others)]
    mean = sum(a * b for a, b in zip((length, *others), added, strict=True)) / 100
    assert answer.embedding == pytest.approx((mean, 1.0), abs=0.5)
    assert not answer.scores


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        pytest.param("Mean", lambda numbers, added: sum(map(mul, numbers, added)) / sum(added), id="mean"),
        pytest.param("Max", lambda numbers, added: max(numbers), id="the least certain chunk"),
    ],
)
async def test_a_long_text_is_as_uncertain_as_its_chunks_by_the_same_rule_as_its_scores(
    tmp_path: Path, aggregation: str, expected: Callable[[list[int], list[int]], float]
) -> None:
    engine = HeldEngine(lambda tokens: LabelLogits((1.0,), Uncertainty(float(len(tokens)), len(tokens) / 4)))
    engine.release()
    async with scheduling(tmp_path, engine, aggregation=aggregation) as scheduler:
        [answer] = await scheduler.answer_texts([words(100)])
    lengths = [len(tokens) for batch in engine.batches for tokens in batch]
    added = [lengths[0] - 2, *(length - 2 - 4 for length in lengths[1:])]
    assert len(lengths) > 2
    assert answer.uncertainty is not None
    assert answer.uncertainty.entropy == pytest.approx(expected(lengths, added), abs=0.5)
    assert answer.uncertainty.mutual_information == pytest.approx(expected(lengths, added) / 4, abs=0.15)


async def test_every_chunk_carries_the_frame(tmp_path: Path) -> None:
    engine = HeldEngine()
    engine.release()
    async with scheduling(tmp_path, engine) as scheduler:
        await scheduler.answer_texts([words(100)])
    assert {(tokens[0], tokens[-1]) for batch in engine.batches for tokens in batch} == {(CLS, SEP)}


async def test_truncation_is_told(tmp_path: Path) -> None:
    engine = HeldEngine()
    engine.release()
    async with scheduling(tmp_path, engine, policy="Truncate") as scheduler:
        (answer,) = await scheduler.answer_texts([words(100)])
    assert (answer.tokens, answer.truncated_tokens) == (64, 38)


async def test_the_deadline_covers_the_wait_and_frees_the_place(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine, deadline=2.5) as scheduler:
        running = asyncio.create_task(scheduler.answer_texts([words(1)]))
        await until(lambda: len(engine.batches) == 1)
        with pytest.raises(DeadlineError, match=r"no answer within 2\.5 s") as late:
            await scheduler.answer_texts([words(2)])
        assert late.value.tier == "short"
        await until(partial(queue_holds, scheduler, 0))
        engine.release()
        with pytest.raises(DeadlineError):
            await running


async def test_a_caller_may_wait_less_than_the_servers_deadline_but_never_longer(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine, deadline=0.3) as scheduler:
        with pytest.raises(DeadlineError, match=r"no answer within 0\.1 s \(the request's own limit\)"):
            await scheduler.answer_texts([words(1)], Options(timeout_seconds=0.1))
        with pytest.raises(DeadlineError, match=r"no answer within 0\.3 s"):
            await scheduler.answer_texts([words(1)], Options(timeout_seconds=5.0))
        engine.release()


@pytest.mark.parametrize(
    ("failure", "expected", "retry"),
    [
        pytest.param(Failure.OUT_OF_MEMORY, OutOfMemoryError, 10, id="out of memory"),
        pytest.param(Failure.NON_FINITE, NonFiniteError, None, id="not finite"),
    ],
)
async def test_a_failure_of_one_sequence_is_its_own(
    tmp_path: Path, failure: Failure, expected: type[Exception], retry: int | None
) -> None:
    engine = HeldEngine(lambda tokens: failure if FORBIDDEN in tokens else LabelLogits((1.0,)))
    async with scheduling(tmp_path, engine) as scheduler:
        first = asyncio.create_task(scheduler.answer_texts([words(1)]))
        await until(lambda: len(engine.batches) == 1)
        good, bad = (asyncio.create_task(scheduler.answer_texts([text])) for text in ("sea sea", "sea forbidden"))
        await until(lambda: scheduler.queued_tokens()["short"] == 8)
        engine.release()
        await asyncio.gather(first, good)
        with pytest.raises(expected) as failed:
            await bad
    assert failed.value.retry_after == retry  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        pytest.param(10_000, "found too little memory for the moment; try again", id="it would fit"),
        pytest.param(20, "does not fit into the device's memory, even alone", id="it never will"),
        pytest.param(None, "does not fit into the device's memory, even alone", id="nobody knows"),
    ],
)
async def test_who_finds_no_memory_is_told_whether_a_shorter_text_would_help(
    tmp_path: Path, measured: int | None, said: str
) -> None:
    line = LoadLine(bytes_per_token=10, room=10_000, measured_room=measured)
    engine = HeldEngine(lambda _: Failure.OUT_OF_MEMORY, now=line)
    engine.release()
    async with scheduling(tmp_path, engine) as scheduler:
        with pytest.raises(OutOfMemoryError, match=f"a sequence of 3 tokens .tier short. {said}"):
            await scheduler.answer_texts(["sea"])


async def test_a_fault_of_the_model_ends_its_batch_and_not_the_server(tmp_path: Path) -> None:
    def answer(tokens: Tokens) -> Outcome:
        if FORBIDDEN in tokens:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
        return LabelLogits((1.0,))

    engine = HeldEngine(answer)
    engine.release()
    async with scheduling(tmp_path, engine) as scheduler:
        with pytest.raises(ModelFaultError):
            await scheduler.answer_texts(["forbidden"])
        assert await scheduler.answer_texts(["sea"])


async def test_an_outcome_that_is_known_before_the_others_is_answered_before_them(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        blocking = asyncio.create_task(scheduler.answer_texts([words(1)]))
        await until(lambda: len(engine.held) == 1)
        first, second = (asyncio.create_task(scheduler.answer_texts([words(2)], Options(raw=True))) for _ in range(2))
        await until(lambda: queue_holds(scheduler, 8))
        engine.finish(0)
        await until(lambda: len(engine.held) == 2)
        audience = engine.held[1].audience
        assert audience is not None
        audience.tell(0, LabelLogits((7.0,)))
        assert [answer.scores for answer in await first] == [(7.0,)]
        assert not second.done()
        assert not audience.gone
        second.cancel()
        await until(lambda: audience.gone)
        engine.release()
        assert await blocking


async def test_tokens_outside_the_vocabulary_are_refused(tmp_path: Path) -> None:
    async with scheduling(tmp_path, HeldEngine()) as scheduler:
        with pytest.raises(InvalidInputError, match="run from 0 to 5, found 1 to 6"):
            await scheduler.answer_tokens([[1, 6]], at_once=32)


async def test_batch_size_bounds_what_runs_together(tmp_path: Path) -> None:
    engine = HeldEngine()
    engine.release()
    async with scheduling(tmp_path, engine) as scheduler:
        await scheduler.answer_tokens([[CLS, *[SEA] * length, SEP] for length in range(1, 6)], at_once=1)
    assert [len(batch) for batch in engine.batches] == [1] * 5


async def test_one_request_keeps_every_device_busy_and_leaves_room_for_others(tmp_path: Path) -> None:
    engine = HeldEngine(devices=2)
    async with scheduling(tmp_path, engine) as scheduler:
        many = asyncio.create_task(scheduler.answer_texts([words(1 + number % 8) for number in range(20)]))
        await until(lambda: len(engine.held) == 2)
        assert [len(batch) for batch in engine.batches] == [4, 4]
        assert queue_holds(scheduler, 0)
        engine.release()
        assert len(await many) == 20


async def test_saturation_rises_with_the_queue(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        began = time.monotonic()
        asks = [asyncio.create_task(scheduler.answer_texts([words(40)])) for _ in range(3)]
        await until(lambda: scheduler.queued_tokens()["long"] == 84)
        queued = time.monotonic()
        await asyncio.sleep(0.6)
        asked = time.monotonic()
        carried = WINDOW_SECONDS * scheduler.saturation()
        assert 2.9 * (asked - queued - 0.1) < carried <= 3.0 * (time.monotonic() - began)
        engine.release()
        await asyncio.gather(*asks)


async def test_the_pack_that_runs_is_on_record_for_the_case_that_it_never_returns(tmp_path: Path) -> None:
    engine, record = HeldEngine(), tmp_path / "termination-log"
    record.touch()
    async with scheduling(tmp_path, engine, record=record) as scheduler:
        ask = asyncio.create_task(scheduler.answer_texts([words(2), words(3)], Options(raw=True)))
        await until(lambda: len(engine.batches) == 1)
        assert json.loads(record.read_text()) == {"tier": "short", "tokens": 4 + 5, "sequences": 2}
        engine.release()
        await ask
        assert record.read_text() == ""


async def test_many_ready_made_tokens_are_looked_at_on_a_thread(tmp_path: Path) -> None:
    async with scheduling(tmp_path, HeldEngine()) as scheduler:
        wrong = [*[SEA] * 500_000, 7_000]
        asked = asyncio.create_task(scheduler.answer_tokens([wrong]))
        await asyncio.sleep(0)
        assert not asked.done(), "the event loop goes on meanwhile"
        with pytest.raises(InvalidInputError, match="found 4 to 7000"):
            await asked
