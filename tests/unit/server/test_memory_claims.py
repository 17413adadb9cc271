"""Memory that texts and packs share: nobody takes what another was promised."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from plimsoll_server.scheduler.errors import OverloadedError
from plimsoll_server.scheduler.memory_claims import MemoryClaims
from plimsoll_server.scheduler.text_memory import BYTES_PER_TEXT_BYTE
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.types import LoadLine
from scheduler_builders import HeldEngine, queue_holds, scheduling, until, words

PATIENCE = 60
MEBIBYTE = 1 << 20


class Reader:
    """A thread of its own that claims memory for as long as the test likes."""

    def __init__(self, claims: MemoryClaims) -> None:
        self._claims = claims
        self._pool = ThreadPoolExecutor(4)
        self._read = threading.Event()

    def begin(self, size: int) -> Future[str]:
        return self._pool.submit(self._hold, size)

    def end(self) -> None:
        self._read.set()

    def close(self) -> None:
        self.end()
        self._pool.shutdown()

    def _hold(self, size: int) -> str:
        with self._claims.held(size, "tokenise the text"):
            assert self._read.wait(PATIENCE)
            return "read"


@pytest.fixture
def reader() -> Iterator[Callable[[MemoryClaims], Reader]]:
    made: list[Reader] = []

    def of(claims: MemoryClaims) -> Reader:
        made.append(Reader(claims))
        return made[-1]

    yield of
    for one in made:
        one.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is to be refused need not wait for that."""
    monkeypatch.setattr("plimsoll_server.scheduler.memory_claims._ROOM_SECONDS", 0.1)


def held(claims: MemoryClaims, size: int) -> AbstractContextManager[None]:
    return claims.held(size, "tokenise the text")


@pytest.mark.usefixtures("impatient")
def test_two_texts_that_fit_alone_and_not_together_are_read_one_after_the_other() -> None:
    """Neither has taken anything when the other comes: what is left is as much as before."""
    claims = MemoryClaims(lambda: 100)
    with held(claims, 60):
        with pytest.raises(OverloadedError, match="too little memory to tokenise the text"), held(claims, 60):
            pytest.fail("promised twice")
        with held(claims, 40):
            pass
    with held(claims, 100):
        pass


def test_a_text_waits_for_another_and_begins_when_that_is_read(reader: Callable[[MemoryClaims], Reader]) -> None:
    claims = MemoryClaims(lambda: 100)
    second = reader(claims)
    with held(claims, 60):
        waiting = second.begin(60)
    second.end()
    assert waiting.result(PATIENCE) == "read"


def test_a_failure_gives_back_what_was_claimed() -> None:
    claims = MemoryClaims(lambda: 100)
    for _ in range(3):
        with pytest.raises(ValueError, match="no text"), held(claims, 60):
            raise ValueError("no text")


@pytest.mark.usefixtures("impatient")
def test_what_others_have_taken_is_not_promised() -> None:
    left = 100
    claims = MemoryClaims(lambda: left)
    with held(claims, 40):
        left = 30
        with pytest.raises(OverloadedError), held(claims, 40):
            pytest.fail("there is not so much")


@pytest.mark.usefixtures("impatient")
def test_what_others_take_while_claims_overlap_is_not_promised_either() -> None:
    """There is no moment at which nothing is claimed, so that what is left would tell."""
    left = 1000 * MEBIBYTE
    claims = MemoryClaims(lambda: left, with_packs=True)
    with held(claims, 10 * MEBIBYTE):
        left = 400 * MEBIBYTE
        pack = claims.pack_begins(380 * MEBIBYTE)
        with pytest.raises(OverloadedError), held(claims, 100 * MEBIBYTE):
            pytest.fail("promised twice")
        claims.pack_ends(pack)
        with held(claims, 200 * MEBIBYTE):
            assert claims.for_a_pack() == 190 * MEBIBYTE


@pytest.mark.usefixtures("impatient")
def test_what_a_text_may_still_take_is_not_promised_for_what_others_have_taken_of_it() -> None:
    left = 1000
    claims = MemoryClaims(lambda: left)
    with held(claims, 500):
        left = 600
        with pytest.raises(OverloadedError), held(claims, 450):
            pytest.fail("promised twice")


def test_what_a_pack_has_taken_is_not_counted_twice() -> None:
    left = 1000 * MEBIBYTE
    claims = MemoryClaims(lambda: left, with_packs=True)
    claims.pack_begins(600 * MEBIBYTE)
    left = 400 * MEBIBYTE
    with held(claims, 400 * MEBIBYTE):
        assert claims.for_a_pack() == 0


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("with_packs", [False, True], ids=["elsewhere", "here"])
def test_what_a_pack_will_take_is_not_promised_to_texts_where_it_runs_in_the_same_process(with_packs: bool) -> None:
    claims = MemoryClaims(lambda: 100 * MEBIBYTE, with_packs=with_packs)
    claimed = claims.pack_begins(60 * MEBIBYTE)
    if with_packs:
        with pytest.raises(OverloadedError), held(claims, 50 * MEBIBYTE):
            pytest.fail("promised to the pack")
    claims.pack_ends(claimed)
    with held(claims, 50 * MEBIBYTE):
        assert claims.for_a_pack() == (50 * MEBIBYTE if with_packs else float("inf"))


def test_texts_of_some_kilobytes_are_read_beside_a_pack_of_any_size() -> None:
    claims = MemoryClaims(lambda: 100 * MEBIBYTE, with_packs=True)
    for size in (500 * MEBIBYTE, 500 * MEBIBYTE):
        claims.pack_begins(size)
        with held(claims, 57_000 * BYTES_PER_TEXT_BYTE):
            pass


def test_where_nobody_holds_any_memory_and_there_is_none_texts_starve() -> None:
    left = 0
    claims = MemoryClaims(lambda: left, with_packs=True)
    assert claims.starved_seconds() == 0
    time.sleep(0.01)
    assert claims.starved_seconds() >= 0.01
    left = 100 * MEBIBYTE
    assert claims.starved_seconds() == 0
    with held(claims, 99 * MEBIBYTE):
        left = 0
        assert claims.starved_seconds() == 0, "a text has it"
    claimed = claims.pack_begins(50 * MEBIBYTE)
    assert claimed == 0
    claims.starved_seconds()
    time.sleep(0.01)
    assert claims.starved_seconds() == 0, "a pack may have it, though none was left to claim"
    claims.pack_ends(claimed)
    claims.starved_seconds()
    time.sleep(0.01)
    assert claims.starved_seconds() >= 0.01
    assert MemoryClaims(lambda: None).starved_seconds() == 0


def test_nothing_is_reckoned_where_nothing_limits_the_process() -> None:
    claims = MemoryClaims(lambda: None, with_packs=True)
    claims.pack_begins(1 << 60)
    with held(claims, 1 << 60), held(claims, 1 << 60):
        assert claims.plenty(1 << 60)
        assert claims.for_a_pack() == float("inf")


async def test_a_pack_leaves_what_a_text_was_promised_and_has_the_rest(
    tmp_path: Path, reader: Callable[[MemoryClaims], Reader]
) -> None:
    """Four texts of 16 tokens may run together, by the line; while one is tokenised there is memory for two."""
    claims = MemoryClaims(lambda: 1000 * MEBIBYTE, with_packs=True)
    engine = HeldEngine(now=LoadLine(bytes_per_token=10 * MEBIBYTE, room=640 * MEBIBYTE))
    other = reader(claims)
    async with scheduling(tmp_path, engine, claims=claims) as scheduler:
        other.begin(600 * MEBIBYTE)
        await until(lambda: claims.for_a_pack() == 400 * MEBIBYTE)
        asks = [asyncio.create_task(scheduler.answer_texts([words(14)])) for _ in range(4)]
        await until(lambda: len(engine.held) == 1)
        engine.release()
        await asyncio.gather(*asks)
    assert max(sum(held.lengths) for held in engine.held) <= 40


async def test_what_a_batch_takes_beside_its_tokens_is_claimed_as_well(
    tmp_path: Path, reader: Callable[[MemoryClaims], Reader]
) -> None:
    """500 MiB are left beside the text: a sequence of 16 tokens fits, of two the second is too much."""
    claims = MemoryClaims(lambda: 1000 * MEBIBYTE, with_packs=True)
    line = LoadLine(bytes_per_token=10 * MEBIBYTE, room=640 * MEBIBYTE, bytes_per_batch=200 * MEBIBYTE)
    engine = HeldEngine(now=line)
    other = reader(claims)
    async with scheduling(tmp_path, engine, claims=claims) as scheduler:
        other.begin(500 * MEBIBYTE)
        await until(lambda: claims.for_a_pack() == 500 * MEBIBYTE)
        asks = [asyncio.create_task(scheduler.answer_texts([words(14)])) for _ in range(2)]
        await until(lambda: len(engine.held) == 1)
        assert claims.for_a_pack() == 140 * MEBIBYTE
        engine.release()
        await asyncio.gather(*asks)
    assert [held.lengths for held in engine.held] == [[16], [16]]


async def test_a_long_pack_whose_turn_it_was_is_not_passed_over_for_ever_by_texts_and_short_packs(
    tmp_path: Path, reader: Callable[[MemoryClaims], Reader]
) -> None:
    """A short one that fits runs meanwhile, but texts that come leave the long one its memory."""
    claims = MemoryClaims(lambda: 1000 * MEBIBYTE, with_packs=True)
    engine = HeldEngine(now=LoadLine(bytes_per_token=10 * MEBIBYTE, room=640 * MEBIBYTE))
    first, small, large = reader(claims), reader(claims), reader(claims)
    async with scheduling(tmp_path, engine, claims=claims) as scheduler:
        first.begin(600 * MEBIBYTE)
        await until(lambda: claims.for_a_pack() == 400 * MEBIBYTE)
        long = asyncio.create_task(scheduler.answer_texts([words(48)]))
        await until(lambda: scheduler.queued_tokens()["long"] == 50)
        short = asyncio.create_task(scheduler.answer_texts([words(6)]))
        await until(lambda: len(engine.held) == 1)
        assert engine.held[0].lengths == [8]
        first.end()
        barred = large.begin(530 * MEBIBYTE)
        beside = small.begin(50 * MEBIBYTE)
        small.end()
        assert await asyncio.wrap_future(beside) == "read"
        with pytest.raises(OverloadedError):
            await asyncio.wrap_future(barred)
        engine.finish(0)
        await until(lambda: len(engine.held) == 2)
        assert engine.held[1].lengths == [50]
        engine.release()
        assert await asyncio.gather(long, short)


async def test_no_memory_is_kept_for_a_pack_whose_caller_has_left(
    tmp_path: Path, reader: Callable[[MemoryClaims], Reader]
) -> None:
    claims = MemoryClaims(lambda: 1000 * MEBIBYTE, with_packs=True)
    engine = HeldEngine(now=LoadLine(bytes_per_token=10 * MEBIBYTE, room=640 * MEBIBYTE))
    first, second = reader(claims), reader(claims)
    async with scheduling(tmp_path, engine, claims=claims) as scheduler:
        first.begin(600 * MEBIBYTE)
        await until(lambda: claims.for_a_pack() == 400 * MEBIBYTE)
        long = asyncio.create_task(scheduler.answer_texts([words(48)]))
        await until(lambda: scheduler.queued_tokens()["long"] == 50)
        long.cancel()
        await until(lambda: queue_holds(scheduler, 0))
        second.end()
        assert await asyncio.wrap_future(second.begin(10 * MEBIBYTE)) == "read"


async def test_a_pack_that_does_not_fit_beside_a_text_waits_for_it_and_no_text_comes_between(
    tmp_path: Path, reader: Callable[[MemoryClaims], Reader]
) -> None:
    claims = MemoryClaims(lambda: 1000 * MEBIBYTE, with_packs=True)
    engine = HeldEngine(now=LoadLine(bytes_per_token=10 * MEBIBYTE, room=640 * MEBIBYTE))
    first, next_one = reader(claims), reader(claims)
    tiers = (Tier("short", 64, 1, 1),)
    async with scheduling(tmp_path, engine, claims=claims, tiers=tiers) as scheduler:
        first.begin(600 * MEBIBYTE)
        await until(lambda: claims.for_a_pack() == 400 * MEBIBYTE)
        asked = asyncio.create_task(scheduler.answer_texts([words(48)]))
        await until(lambda: scheduler.queued_tokens()["short"] == 50)
        barred = next_one.begin(10 * MEBIBYTE)
        with pytest.raises(OverloadedError):
            await asyncio.wrap_future(barred)
        assert not engine.held
        first.end()
        await until(lambda: len(engine.held) == 1)
        after = next_one.begin(10 * MEBIBYTE)
        next_one.end()
        assert await asyncio.wrap_future(after) == "read"
        engine.release()
        assert await asked
