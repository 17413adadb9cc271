"""What is asked for more than once: computed once while it is on its way, and remembered afterwards."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll_server.config import LongInputConfig
from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.cache.answer_cache import AnswerCache
from plimsoll_server.scheduler.cache.keys import Keys
from plimsoll_server.scheduler.cache.memory import MemoryCache, size_of
from plimsoll_server.scheduler.documents import Document
from plimsoll_server.scheduler.entities import Entity
from plimsoll_server.scheduler.errors import DeadlineError, InvalidInputError, NonFiniteError, TooLongError
from plimsoll_server.scheduler.options import Options
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.scheduler.tokenise import Tokeniser
from plimsoll_server.types import Failure
from scheduler_builders import INFO, SEA, TIERS, HeldEngine, Observed, queue_holds, scheduling, until, words

POLICY = LongInputConfig()


def remembering(seconds: float = 300.0, size: int = 1 << 20) -> AnswerCache:
    return AnswerCache(MemoryCache(size, seconds))


def answer(**changes: object) -> Answer:
    plain = Answer(tier=TIERS[0], tokens=5, chunks=1, truncated_tokens=0, scores=(0.25, 0.75))
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


async def test_what_is_asked_for_while_it_is_computed_is_computed_once(tmp_path: Path) -> None:
    engine, observed = HeldEngine(), Observed()
    async with scheduling(tmp_path, engine, observer=observed) as scheduler:
        asks = [asyncio.create_task(scheduler.answer_texts(["sea sea"], Options(raw=True))) for _ in range(5)]
        await until(lambda: len(engine.held) == 1)
        asks.append(asyncio.create_task(scheduler.answer_texts(["sea sea", "sea sea"], Options(raw=True))))
        await until(lambda: observed.sources.total() == 7)
        engine.release()
        answers = [one for ask in asks for one in await ask]
    assert [one.scores for one in answers] == [(4.0,)] * 7
    assert [held.lengths for held in engine.held] == [[4]]
    assert observed.sources == {"model": 1, "flight": 6}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(Options(), Options(raw=True), id="scores and logits"),
        pytest.param(Options(), Options(truncate=True), id="whole and cut"),
    ],
)
async def test_what_is_asked_for_otherwise_is_another_answer(tmp_path: Path, first: Options, second: Options) -> None:
    engine = HeldEngine()
    engine.release()
    async with scheduling(tmp_path, engine, cache=remembering()) as scheduler:
        await scheduler.answer_texts(["sea"], first)
        await scheduler.answer_texts(["sea"], second)
    assert len(engine.held) == 2


async def test_a_computation_goes_on_while_one_caller_waits_and_ends_with_the_last(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        running = asyncio.create_task(scheduler.answer_texts(["sea"]))
        await until(lambda: len(engine.held) == 1)
        begun, joined, last = (asyncio.create_task(scheduler.answer_texts(["sea sea"])) for _ in range(3))
        await until(lambda: queue_holds(scheduler, 4))
        begun.cancel()
        joined.cancel()
        await asyncio.gather(begun, joined, return_exceptions=True)
        assert queue_holds(scheduler, 4), "one still waits"
        last.cancel()
        await until(lambda: queue_holds(scheduler, 0))
        anew = asyncio.create_task(scheduler.answer_texts(["sea sea"]))
        engine.release()
        await asyncio.gather(running, anew)
    assert [held.lengths for held in engine.held] == [[3], [4]]


async def test_of_a_request_that_left_only_what_others_wait_for_is_computed(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        running = asyncio.create_task(scheduler.answer_texts(["sea"]))
        await until(lambda: len(engine.held) == 1)
        many = asyncio.create_task(scheduler.answer_texts(["sea sea", "sea sea sea", "sea sea sea sea"]))
        await until(lambda: queue_holds(scheduler, 4 + 5 + 6))
        one = asyncio.create_task(scheduler.answer_texts(["sea sea sea"]))
        await asyncio.sleep(0)
        many.cancel()
        await until(lambda: queue_holds(scheduler, 5))
        engine.release()
        await asyncio.gather(running, one)
    assert [held.lengths for held in engine.held] == [[3], [5]]


async def test_whoever_asks_for_one_of_many_texts_does_not_wait_until_all_are_read(tmp_path: Path) -> None:
    """Neither for its turn among them: the first caller's request is no concern of the second's."""
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        gate, read = asyncio.Event(), Tokeniser.document

        async def slowly(text: str) -> Document:
            if "forbidden" in text:
                await gate.wait()
            return await read(scheduler._tokeniser, text)

        scheduler._tokeniser.document = slowly  # type: ignore[method-assign]
        for place in ("before", "behind"):
            shared, long = f"sea {place}", f"forbidden {place}"
            texts = [shared, long] if place == "before" else [long, shared]
            many = asyncio.create_task(scheduler.answer_texts(texts))
            await asyncio.sleep(0.01)
            engine.release(1)
            assert await asyncio.wait_for(scheduler.answer_texts([shared]), 15)
            assert not many.done()
            engine.release(1)
            gate.set()
            assert len(await many) == 2
            gate.clear()


async def test_a_text_of_a_request_of_too_many_is_answered_to_whoever_asks_for_it_alone(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        shared, *others = [[SEA] * (300 - length) for length in range(128)]
        many = asyncio.create_task(scheduler.answer_tokens([shared, *others]))
        one = asyncio.create_task(scheduler.answer_tokens([shared]))
        with pytest.raises(TooLongError, match=r"more than 1024 sequences .* send fewer texts at once") as refusal:
            await many
        engine.release()
        (answered,) = await one
    assert refusal.value.tier == "long"
    assert sum(map(len, engine.batches)) == answered.chunks < 20, "nothing of the others ran"


async def test_a_text_that_others_wait_for_too_does_not_wait_for_its_requests_other_texts(tmp_path: Path) -> None:
    """A request that asks for one at a time keeps its own others waiting, and nobody else."""
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        many = asyncio.create_task(scheduler.answer_tokens([[SEA] * length for length in (1, 2, 3)], at_once=1))
        await until(lambda: len(engine.held) == 1)
        other = next(length for length in (1, 2, 3) if [length] != engine.held[0].lengths)
        one = asyncio.create_task(scheduler.answer_tokens([[SEA] * other]))
        await until(lambda: queue_holds(scheduler, other))
        engine.release()
        assert await one
        assert await many


async def test_what_two_callers_wait_for_is_worth_its_time_until_the_later_one_gives_up(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        running = asyncio.create_task(scheduler.answer_texts(["sea sea"]))
        await until(lambda: len(engine.held) == 1)
        now = time.monotonic()
        asks = []
        for seconds in (5, 15, 10):
            asks.append(asyncio.create_task(scheduler.answer_texts(["sea"], Options(timeout_seconds=seconds))))
            await until(lambda: queue_holds(scheduler, 3))
        engine.release(1)
        await until(lambda: len(engine.held) == 2)
        audience = engine.held[1].audience
        assert audience is not None
        assert audience.until >= now + 15
        engine.release()
        await asyncio.gather(running, *asks)


async def test_each_caller_has_a_deadline_of_its_own(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        patient = asyncio.create_task(scheduler.answer_texts(["sea"], Options(timeout_seconds=15)))
        await until(lambda: len(engine.held) == 1)
        with pytest.raises(DeadlineError):
            await scheduler.answer_texts(["sea"], Options(timeout_seconds=0.05))
        engine.release()
        assert await patient


async def test_a_failure_is_everybodys_and_is_not_remembered(tmp_path: Path) -> None:
    outcomes = iter([Failure.NON_FINITE])
    plain = HeldEngine().answer
    engine = HeldEngine(lambda tokens: next(outcomes, None) or plain(tokens))
    async with scheduling(tmp_path, engine, cache=remembering()) as scheduler:
        asks = [asyncio.create_task(scheduler.answer_texts(["sea"])) for _ in range(3)]
        await until(lambda: len(engine.held) == 1)
        engine.release()
        results = await asyncio.gather(*asks, return_exceptions=True)
        assert [type(result) for result in results] == [NonFiniteError] * 3
        assert await scheduler.answer_texts(["sea"])


async def test_an_invalid_text_fails_its_own_request_and_not_one_that_shares_another_text(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine) as scheduler:
        both = asyncio.create_task(scheduler.answer_texts(["sea", "\ud800"]))
        fine = asyncio.create_task(scheduler.answer_texts(["sea"]))
        with pytest.raises(InvalidInputError):
            await both
        engine.release()
        assert await fine


@pytest.mark.parametrize("wrong", [" ", "sea " * 300], ids=["empty", "too long"])
async def test_of_several_inputs_the_wrong_one_is_told_by_its_place_in_each_callers_own_request(
    tmp_path: Path, wrong: str
) -> None:
    async with scheduling(tmp_path, HeldEngine(), policy="Reject") as scheduler:
        told = await asyncio.gather(
            *(scheduler.answer_texts(texts) for texts in ([words(1), words(2), wrong], [wrong, words(1)], [wrong])),
            return_exceptions=True,
        )
    assert all(isinstance(error, InvalidInputError | TooLongError) for error in told)
    places = [str(error).partition("the text ")[0] for error in told]
    assert places == ["input 2 (the first is 0): ", "input 0 (the first is 0): ", ""]


async def test_too_many_inputs_are_no_single_ones_fault(tmp_path: Path) -> None:
    async with scheduling(tmp_path, HeldEngine(), policy="Chunk") as scheduler:
        with pytest.raises(TooLongError, match=r"^the request has more than 1024 sequences"):
            await scheduler.answer_texts([words(20_000), words(20_001), words(1)])


async def test_an_answer_is_remembered_for_its_time(tmp_path: Path) -> None:
    engine, observed, now = HeldEngine(), Observed(), [0.0]
    engine.release()
    cache = AnswerCache(MemoryCache(1 << 20, 300.0, clock=lambda: now[0]))
    async with scheduling(tmp_path, engine, cache=cache, observer=observed) as scheduler:
        first = await scheduler.answer_texts(["sea", "sea sea"])
        now[0] = 299.0
        assert await scheduler.answer_texts(["sea sea", "sea"]) == first[::-1]
        assert await scheduler.answer_tokens([[SEA]])
        now[0] = 301.0
        await scheduler.answer_texts(["sea"])
    assert observed.sources == {"model": 4, "memory": 2}


async def test_what_is_remembered_is_no_load(tmp_path: Path) -> None:
    engine = HeldEngine()
    async with scheduling(tmp_path, engine, cache=remembering()) as scheduler:
        engine.release(1)
        await scheduler.answer_texts(["sea"])
        before = scheduler.saturation()
        for _ in range(100):
            await scheduler.answer_texts(["sea"])
        assert scheduler.saturation() == pytest.approx(before, abs=0.01)


def test_what_was_not_asked_for_longest_makes_room() -> None:
    cache = MemoryCache(3 * size_of(answer()), 300.0)
    for key in (b"a", b"b", b"c"):
        cache.put(key, answer())
    cache.get(b"a")
    cache.put(b"d", answer())
    assert [key for key in (b"a", b"b", b"c", b"d") if cache.get(key)] == [b"a", b"c", b"d"]


def test_an_answer_larger_than_the_whole_cache_leaves_the_others_alone() -> None:
    cache = MemoryCache(2 * size_of(answer()), 300.0)
    cache.put(b"a", answer())
    cache.put(b"b", answer(embedding=(0.5,) * 10_000))
    assert cache.get(b"a")


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 40)), max_size=60))
def test_the_cache_never_holds_more_than_it_may_and_knows_how_much(puts: list[tuple[str, int]]) -> None:
    cache = MemoryCache(5000, 300.0)
    for key, numbers in puts:
        cache.put(key.encode(), answer(scores=(0.5,) * numbers))
        assert cache.size <= 5000
    assert cache.size == sum(size_of(kept) for key in "abcdefgh" if (kept := cache.get(key.encode())))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda i: answer(tokens=i + 1000, scores=(i / 7, i / 9)), id="two scores"),
        pytest.param(lambda i: answer(scores=(), embedding=tuple(i + j / 7 for j in range(768))), id="an embedding"),
        pytest.param(
            lambda i: answer(scores=(), entities=tuple(Entity("PER", i / j, i + 300, i + 400) for j in range(1, 9))),
            id="entities",
        ),
    ],
)
def test_the_cache_takes_no_more_memory_than_it_says(make: object) -> None:
    cache = MemoryCache(1 << 30, 300.0)
    tracemalloc.start()
    try:
        for number in range(300):
            cache.put(number.to_bytes(32, "big"), make(number))  # type: ignore[operator]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.4 * cache.size < taken <= cache.size


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Keys(dataclasses.replace(INFO, revision="f00"), TIERS, POLICY), id="another revision"),
        pytest.param(Keys(dataclasses.replace(INFO, location="/n"), TIERS, POLICY), id="another model"),
        pytest.param(Keys(dataclasses.replace(INFO, dtype="bfloat16"), TIERS, POLICY), id="another precision"),
        pytest.param(Keys(INFO, TIERS[1:], POLICY), id="other tiers"),
        pytest.param(Keys(INFO, (TIERS[0], Tier("long", 64, 1, 0)), POLICY), id="a tier that is closed"),
        pytest.param(Keys(INFO, TIERS, LongInputConfig(policy="Native")), id="another policy"),
        pytest.param(Keys(INFO, TIERS, POLICY, "ns/other"), id="another deployment"),
    ],
)
def test_whatever_changes_an_answer_changes_its_key(other: Keys) -> None:
    assert other.of_text("sea", Options()) != Keys(INFO, TIERS, POLICY).of_text("sea", Options())


def test_where_the_model_runs_does_not_change_a_key() -> None:
    elsewhere = dataclasses.replace(INFO, device="cuda", attention="flash", tokenizer_file="/elsewhere")
    assert Keys(elsewhere, TIERS, POLICY).of_text("a", Options()) == Keys(INFO, TIERS, POLICY).of_text("a", Options())


def test_a_text_and_the_tokens_of_the_same_bytes_have_different_keys() -> None:
    keys = Keys(INFO, TIERS, POLICY)
    assert keys.of_tokens([1], Options()) != keys.of_text("\x01" + "\x00" * 7, Options())


def test_every_option_but_the_time_a_caller_waits_is_part_of_the_key() -> None:
    plain = Options()
    for field in dataclasses.fields(Options):
        changed: dict[str, Any] = {field.name: 2.5 if field.name == "timeout_seconds" else True}
        other = dataclasses.replace(plain, **changed)
        assert (other.parameters == plain.parameters) is (field.name == "timeout_seconds"), field.name
