"""Answers that cost no forward pass, and callers that wait for so long and no longer: through real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from redis_process import DEADLINE_SECONDS, RedisProcess, running_redis, waited_for
from server_builders import random_model, server_config, topic_model
from server_process import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True, scope="module")
def patient() -> Iterator[None]:
    """A Redis that is well answers at last."""
    with waited_for(DEADLINE_SECONDS):
        yield


@pytest.fixture(scope="module")
def module_redis(tmp_path_factory: pytest.TempPathFactory) -> object:
    with running_redis(tmp_path_factory.mktemp("redis")) as process:
        yield process


@pytest.fixture(scope="module")
def url_file(module_redis: RedisProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("secret") / "url"
    file.write_text(module_redis.url)
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return topic_model(tmp_path_factory.mktemp("topics"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(folder: Path, url_file: Path) -> AsyncIterator[Server]:
    async with serving(server_config(folder), PLIMSOLL_REDIS_URL_FILE=str(url_file)) as ready:
        yield ready


async def test_a_remembered_answer_is_counted_apart_from_the_models_and_is_no_batch(server: Server) -> None:
    first = await server.predict("the old harbour")
    before = await server.metrics()
    again = await server.predict("the old harbour")
    after = await server.metrics()
    assert (again.json(), again.status_code) == (first.json(), 200)
    assert [again.headers[name] for name in again.headers if name.startswith("x-plimsoll")] == [
        first.headers[name] for name in first.headers if name.startswith("x-plimsoll")
    ]
    changed = {key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key, 0)}
    assert changed["plimsoll_requests_total", "short", "remembered"] == 1
    assert changed["plimsoll_remembered_request_duration_seconds_count", "short"] == 1
    assert changed["plimsoll_answers_total", "memory"] == 1
    assert ("plimsoll_requests_total", "short", "ok") not in changed
    assert ("plimsoll_request_duration_seconds_count", "short") not in changed
    assert ("plimsoll_batches_total", "short") not in changed


async def test_a_request_that_is_remembered_in_part_has_waited_for_the_model(server: Server) -> None:
    await server.predict("the outer pier")
    before = await server.metrics()
    await server.client.post("/predict", json={"inputs": [["the outer pier"], ["the inner pier"]]})
    after = await server.metrics()
    assert after["plimsoll_requests_total", "short", "ok"] - before["plimsoll_requests_total", "short", "ok"] == 1
    waited = ("plimsoll_request_duration_seconds_count", "short")
    assert after[waited] - before[waited] == 1


async def test_a_latency_is_told_by_the_size_of_the_body(server: Server) -> None:
    """Not by its tokens, of which another revision's tokeniser may make more or fewer."""
    counted = ("plimsoll_request_duration_by_size_seconds_count", "short")
    before = await server.metrics()
    body, headers = b'{"inputs": "a tyre of some weight"}' + b" " * 500, {"Content-Type": "application/json"}
    assert (await server.client.post("/predict", content=body, headers=headers)).status_code == 200
    after = await server.metrics()
    assert after[*counted, "1024"] - before.get((*counted, "1024"), 0) == 1


@pytest.mark.parametrize(
    ("revision", "source"),
    [pytest.param("abc", "redis", id="of the same revision"), pytest.param("def", "model", id="of another")],
)
async def test_what_one_pod_answered_others_of_its_revision_need_not_compute(
    server: Server, folder: Path, url_file: Path, module_redis: RedisProcess, revision: str, source: str
) -> None:
    text = f"a tyre near the anchor {revision}"
    first = await server.predict(text)
    async with serving(
        server_config(folder), PLIMSOLL_REDIS_URL_FILE=str(url_file), PLIMSOLL_REVISION=revision
    ) as other:
        answer = await other.predict(text)
        metrics = await other.metrics()
    assert answer.json() == first.json()
    assert metrics["plimsoll_answers_total", source] == 1
    assert metrics["plimsoll_requests_total", "short", "remembered"] == (source == "redis")
    assert metrics["plimsoll_request_duration_seconds_count", "short"] == (source == "model")


async def test_requests_are_answered_while_redis_is_away(server: Server, module_redis: RedisProcess) -> None:
    module_redis.stop()
    try:
        answers = await asyncio.gather(*(server.predict(f"the tides {number}") for number in range(20)))
    finally:
        module_redis.start()
    assert {answer.status_code for answer in answers} == {200}
    assert (await server.metrics())["plimsoll_cache_faults_total",] >= 1


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan", "inf", "1e9", ""])
async def test_a_time_that_is_none_is_refused_by_name(server: Server, seconds: str) -> None:
    answer = await server.client.post("/predict", json={"inputs": "sea"}, headers={"X-Request-Timeout": seconds})
    assert answer.status_code == 422
    assert "X-Request-Timeout" in answer.json()["error"]


async def test_a_caller_that_waits_no_longer_is_answered_504_and_its_place_is_free(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    slow = random_model(
        tmp_path_factory.mktemp("slow"),
        hidden_size=256, intermediate_size=1024, num_hidden_layers=8, max_position_embeddings=2048,
    )  # fmt: skip
    tiers = [{"name": "long", "maxTokens": 2048, "concurrency": 1, "safeConcurrency": 1}]
    async with serving(server_config(slow, tiers=tiers)) as server:
        running = asyncio.create_task(server.predict("x" * 2000))
        await asyncio.sleep(0.05)
        late = await server.client.post("/predict", json={"inputs": "y" * 2000}, headers={"X-Request-Timeout": "0.05"})
        assert late.status_code == 504
        assert "no answer within 0.05 s (the request's own limit)" in late.json()["error"]
        assert (await running).status_code == 200
        metrics = await server.metrics()
        assert metrics["plimsoll_requests_total", "long", "cancelled"] == 1
        assert metrics["plimsoll_requests_total", "long", "error"] == 0
        assert metrics["plimsoll_queue_tokens", "long"] == 0
