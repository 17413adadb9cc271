"""Answers that pods share, in a real Redis that may be away, hang, be full of nonsense, or be another one tomorrow."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.cache.answer_cache import AnswerCache
from plimsoll_server.scheduler.cache.codec import Codec
from plimsoll_server.scheduler.cache.memory import MemoryCache
from plimsoll_server.scheduler.cache.shared import SharedCache
from plimsoll_server.scheduler.entities import Entity
from redis_process import DEADLINE_SECONDS, RedisProcess, running_redis, waited_for
from scheduler_builders import INFO, TIERS, HeldEngine, Observed, scheduling

CODEC = Codec(TIERS, INFO)
PLAIN = Answer(tier=TIERS[0], tokens=5, chunks=1, truncated_tokens=0, scores=(0.1,))
PATIENCE = 0.25


@dataclasses.dataclass
class Pod:
    """One of those that share a Redis."""

    shared: SharedCache
    observed: Observed
    clock: list[float]

    def wait_out(self) -> None:
        """The time for which a Redis that failed is left alone."""
        self.clock[0] += 6.0

    async def put(self, key: bytes, answer: Answer = PLAIN) -> None:
        """Waits until it can be found, for some seconds."""
        self.shared.put(key, answer)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not await self.shared.find([key]):  # noqa: ASYNC110  Redis says nothing by itself
                await asyncio.sleep(0.01)


@asynccontextmanager
async def pod(url_file: Path, ttl: float = 300.0, **model: Any) -> AsyncIterator[Pod]:
    observed, clock = Observed(), [100.0]
    codec = Codec(TIERS, dataclasses.replace(INFO, **model))
    shared = SharedCache(url_file, codec, ttl, observed.cache_failed, clock=lambda: clock[0])
    try:
        yield Pod(shared, observed, clock)
    finally:
        await shared.close()


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    """A Redis that is well answers at last."""
    with waited_for(DEADLINE_SECONDS):
        yield


@pytest.fixture
def url_file(redis: RedisProcess, tmp_path: Path) -> Path:
    file = tmp_path / "url"
    file.write_text(redis.url + "\n")
    return file


@pytest.mark.parametrize(
    ("answer", "model"),
    [
        pytest.param(PLAIN, {}, id="scores"),
        pytest.param(dataclasses.replace(PLAIN, tier=TIERS[1], chunks=3, truncated_tokens=9), {}, id="as it was read"),
        pytest.param(
            dataclasses.replace(PLAIN, scores=(), embedding=(0.1, -1e-30, 1 / 3)),
            {"task": "feature-extraction", "labels": (), "width": 3},
            id="embedding",
        ),
        pytest.param(
            dataclasses.replace(PLAIN, scores=(), entities=(Entity("SEA", 0.3, 4, 9),)),
            {"task": "token-classification", "labels": ("O", "B-SEA", "I-SEA")},
            id="entities",
        ),
    ],
)
async def test_what_one_pod_answered_another_finds_as_it_was(
    url_file: Path, answer: Answer, model: dict[str, Any]
) -> None:
    async with pod(url_file, **model) as one, pod(url_file, **model) as other:
        await one.put(b"\x00\xffkey", answer)
        assert await other.shared.find([b"nothing", b"\x00\xffkey"]) == {b"\x00\xffkey": answer}


async def test_an_answer_is_gone_after_its_time(url_file: Path, redis: RedisProcess) -> None:
    async with pod(url_file, ttl=300.0) as one, Redis.from_url(redis.url) as client:
        await one.put(b"key")
        (name,) = await client.keys()
        assert 290_000 < await client.pttl(name) <= 300_000


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\x00", id="bytes"),
        pytest.param(b'{"tier":"short","tokens":5,"chunks":1,"truncated":0}', id="no scores"),
        pytest.param(b'"' + b"x" * (2 << 20) + b'"', id="far too large"),
    ],
)
async def test_nonsense_in_redis_is_no_answer(url_file: Path, redis: RedisProcess, nonsense: bytes) -> None:
    async with pod(url_file) as one, Redis.from_url(redis.url) as client:
        await one.put(b"key")
        (name,) = await client.keys()
        await client.set(name, nonsense)
        assert await one.shared.find([b"key"]) == {}


async def test_a_key_of_another_kind_is_no_answer(url_file: Path, redis: RedisProcess) -> None:
    async with pod(url_file) as one, Redis.from_url(redis.url) as client:
        await one.put(b"key")
        (name,) = await client.keys()
        await client.delete(name)
        await client.lpush(name, "a")
        assert await one.shared.find([b"key"]) == {}


async def test_a_redis_that_is_away_is_left_alone_for_a_while_and_then_found_again(
    url_file: Path, redis: RedisProcess
) -> None:
    async with pod(url_file) as one:
        await one.put(b"key")
        redis.stop()
        assert await one.shared.find([b"key"]) == {}
        assert one.observed.cache_faults == 1
        redis.start()
        assert await one.shared.find([b"key"]) == {}
        assert one.observed.cache_faults == 1, "it was not asked"
        one.wait_out()
        await one.put(b"key")


async def test_a_redis_that_ended_and_came_back_in_between_costs_nothing(url_file: Path, redis: RedisProcess) -> None:
    """A kept connection leads nowhere then."""
    async with pod(url_file) as one:
        await one.put(b"key")
        redis.stop()
        redis.start()
        await one.put(b"key")
        assert one.observed.cache_faults == 0


async def test_a_redis_that_hangs_costs_a_quarter_of_a_second_once(url_file: Path, redis: RedisProcess) -> None:
    async with pod(url_file) as one:
        await one.put(b"key")
        with redis.hanging(), waited_for(PATIENCE):
            began = time.monotonic()
            async with asyncio.timeout(10):
                assert await one.shared.find([b"key"]) == {}
                waited = time.monotonic() - began
                assert await one.shared.find([b"key"]) == {}
                one.shared.put(b"other", PLAIN)
        assert waited >= PATIENCE
        assert one.observed.cache_faults == 1
        one.wait_out()
        await one.put(b"key")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("redis://:se#cret/@:port/0", id="not an address"),
        pytest.param("redis://:wrong-secret@127.0.0.1:{port}/0", id="wrong password"),
    ],
)
async def test_an_address_that_is_wrong_is_no_error_and_no_secret_is_told(
    redis: RedisProcess, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "url"
    file.write_text(text.replace("{port}", str(redis.port)))
    caplog.set_level(logging.DEBUG, "plimsoll_server")
    async with pod(file) as one:
        assert await one.shared.find([b"key"]) == {}
        assert one.observed.cache_faults == 1
        assert "does not answer" in caplog.text
        assert "secret" not in caplog.text
        file.write_text(redis.url)
        one.wait_out()
        await one.put(b"key")


async def test_a_file_that_is_missing_is_no_error(tmp_path: Path) -> None:
    async with pod(tmp_path / "nowhere") as one:
        assert await one.shared.find([b"key"]) == {}


async def test_the_address_may_change_while_the_server_runs(
    url_file: Path, redis: RedisProcess, tmp_path: Path
) -> None:
    (tmp_path / "next").mkdir()
    async with pod(url_file) as one:
        await one.put(b"key")
        with running_redis(tmp_path / "next", password="another") as following:
            redis.stop()
            url_file.write_text(following.url)  # noqa: ASYNC240  a line
            assert await one.shared.find([b"key"]) == {}
            one.wait_out()
            await one.put(b"key")


async def test_more_answers_than_redis_takes_are_let_go(url_file: Path, redis: RedisProcess) -> None:
    async with pod(url_file) as one:
        with redis.hanging(), waited_for(PATIENCE):
            for number in range(2000):
                one.shared.put(number.to_bytes(4, "big"), PLAIN)
            assert len(asyncio.all_tasks()) < 300
            async with asyncio.timeout(20):
                await one.shared.close()


async def test_an_answer_of_another_pod_is_taken_without_the_model_and_remembered(
    url_file: Path, tmp_path: Path
) -> None:
    engine, here, there = HeldEngine(), Observed(), Observed()
    engine.release()
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()

    def cache(observed: Observed) -> AnswerCache:
        return AnswerCache(MemoryCache(1 << 20, 300), SharedCache(url_file, CODEC, 300, observed.cache_failed))

    async with scheduling(tmp_path / "one", engine, cache=cache(here), observer=here) as one:
        first = await one.answer_texts(["sea", "sea sea"])
    async with scheduling(tmp_path / "other", engine, cache=cache(there), observer=there) as other:
        assert await other.answer_texts(["sea sea", "sea sea sea", "sea"]) == [
            first[1],
            await one_more(other),
            first[0],
        ]
        await other.answer_texts(["sea"])
    assert here.sources == {"model": 2}
    assert there.sources == {"redis": 2, "model": 1, "memory": 2}


async def one_more(scheduler: object) -> Answer:
    (answer,) = await scheduler.answer_texts(["sea sea sea"])  # type: ignore[attr-defined]
    assert isinstance(answer, Answer)
    return answer


async def test_while_redis_hangs_requests_are_answered(url_file: Path, redis: RedisProcess, tmp_path: Path) -> None:
    engine, observed = HeldEngine(), Observed()
    engine.release()
    cache = AnswerCache(None, SharedCache(url_file, CODEC, 300, observed.cache_failed))
    async with scheduling(tmp_path, engine, cache=cache, observer=observed) as scheduler:
        with redis.hanging(), waited_for(PATIENCE):
            for text in ("sea", "sea sea", "sea sea sea"):
                assert await scheduler.answer_texts([text])
        assert observed.cache_faults == 1
