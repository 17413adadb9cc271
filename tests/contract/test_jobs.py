"""Jobs from end to end: a real server, a real Redis, and workers that are killed, stopped and started again."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from job_worker import (
    DEADLINE_SECONDS,
    DEPLOYMENT,
    JOBS,
    Status,
    cancel,
    done,
    inside,
    keys_of,
    look_up,
    submitted,
    under_way,
    until,
    worker,
)
from plimsoll_server.api.inputs import MAX_INPUTS, MAX_JOB_INPUTS
from plimsoll_server.jobs.records import SLICE_INPUTS
from plimsoll_server.jobs.store import QUEUE, Store
from redis_process import RedisProcess, running_redis, waited_for
from server_builders import lexicon_model, random_model, server_config, topic_model
from server_process import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOST_SECONDS = 1
SLOW: dict[str, Any] = {"hidden_size": 128, "intermediate_size": 256}
KEY, OTHER, WORKERS = "a-key-of-the-first-caller", "a-key-of-the-second-caller", "a-key-of-the-worker"


@pytest.fixture(autouse=True, scope="module")
def patient() -> Iterator[None]:
    """A Redis that is well answers at last."""
    with waited_for(DEADLINE_SECONDS):
        yield


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    with running_redis(tmp_path_factory.mktemp("redis")) as process:
        yield process


@pytest.fixture(scope="module")
def url_file(redis: RedisProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("secret") / "url"
    file.write_text(redis.url)
    return file


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slow(url_file: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A slice takes it long enough that a job can be caught on its way. It remembers no answer: each is made."""
    folder = random_model(tmp_path_factory.mktemp("slow"), **SLOW)
    tiers = [{"name": "all", "maxTokens": 512, "concurrency": 32}]
    variables: dict[str, Any] = {"PLIMSOLL_REDIS_URL_FILE": str(url_file), "PLIMSOLL_CACHE_BYTES": "0"}
    async with serving(server_config(folder, tiers=tiers), **variables) as ready:
        yield ready


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topics(url_file: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """Of a deployment of its own, and with a worker; each job is kept for three seconds."""
    folder = tmp_path_factory.mktemp("topics")
    variables: dict[str, Any] = {
        "PLIMSOLL_REDIS_URL_FILE": str(url_file),
        "PLIMSOLL_DEPLOYMENT": "topics",
        "PLIMSOLL_JOBS_KEPT_SECONDS": "3",
        "PLIMSOLL_JOBS_PER_CALLER": "3",
    }
    async with serving(server_config(topic_model(folder / "model")), **variables) as ready:
        with worker(folder / "worker", ready, PLIMSOLL_DEPLOYMENT="topics"):
            yield ready


def texts(count: int) -> list[str]:
    """About 300 tokens each, no two the same."""
    return [f"{number} " + "the old harbour near the sea " * 10 for number in range(count)]


async def answered_at_once(server: Server, inputs: Sequence[str]) -> list[Any]:
    """What the requests of a caller who waits are answered."""
    answers: list[Any] = []
    for start in range(0, len(inputs), SLICE_INPUTS):
        response = await server.predict([[text] for text in inputs[start : start + SLICE_INPUTS]])
        assert response.status_code == 200, response.text
        answers += response.json()
    return answers


def assert_alike(found: Sequence[Any], wanted: Sequence[Any]) -> None:
    """Label by label; the last bits of a score depend on what else is in its batch."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert [entry["label"] for entry in one] == [entry["label"] for entry in other]
        scores = [entry["score"] for entry in other]
        assert [entry["score"] for entry in one] == pytest.approx(scores, abs=1e-5)


async def computed(server: Server) -> float:
    """Answers that the model has made."""
    return (await server.metrics())["plimsoll_answers_total", "model"]


async def until_nobody_holds_a_turn(redis: RedisProcess) -> None:
    """Of those that a lost worker took, each has been out for long enough to be given to another."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        with inside(redis) as client:
            while client.zcount(f"{JOBS}unacked_index", time.time() - LOST_SECONDS, "+inf"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_a_worker_that_is_killed_midway_loses_nothing_and_the_next_repeats_nothing(
    slow: Server, redis: RedisProcess, tmp_path: Path
) -> None:
    inputs = texts(10 * SLICE_INPUTS)
    before = await computed(slow)
    with worker(tmp_path / "first", slow, PLIMSOLL_WORKER_LOST_SECONDS=str(LOST_SECONDS)) as first:
        job = await submitted(slow, inputs)
        assert (job["state"], job["inputs"], job["done"]) == ("queued", len(inputs), 0)
        await under_way(slow, job)
        first.process.kill()
        first.ends_with()
        left = await until(slow, job, lambda status: status["state"] == "running")
        assert left["done"] < len(inputs)
        await until_nobody_holds_a_turn(redis)
    with worker(tmp_path / "second", slow, PLIMSOLL_WORKER_LOST_SECONDS=str(LOST_SECONDS)) as second:
        seen = await until(slow, job, lambda status: status["done"] > left["done"])
        ended = await done(slow, job)
        log = second.log.read_text()
        assert "libtorch" not in second.maps(), "a second model has no place"
    assert seen["done"] >= left["done"] + SLICE_INPUTS, "what was answered is not asked again"
    assert (ended["state"], ended["done"], ended["failed"], ended["error"]) == ("done", len(inputs), 0, None)
    assert await computed(slow) - before <= len(inputs) + SLICE_INPUTS, "but for the slice that was under way"
    assert_alike(ended["results"], await answered_at_once(slow, inputs))
    assert "harbour" not in log + (tmp_path / "first" / "server.log").read_text()


async def test_a_job_whose_message_was_lost_with_its_worker_is_taken_up(
    slow: Server, redis: RedisProcess, tmp_path: Path
) -> None:
    """A worker that ends between taking a message and noting that it has it leaves nothing behind."""
    Store(lambda: redis.url, DEPLOYMENT).sign_on()
    job = await submitted(slow, ["the old harbour"])
    with inside(redis) as client:
        assert client.rpop(f"{JOBS}{QUEUE}"), "a message"
    with worker(tmp_path / "worker", slow):
        assert (await done(slow, job))["state"] == "done"


async def test_a_job_that_is_cancelled_midway_is_asked_no_further_and_leaves_no_text(
    slow: Server, redis: RedisProcess, tmp_path: Path
) -> None:
    inputs = texts(10 * SLICE_INPUTS)
    before = await computed(slow)
    with worker(tmp_path / "worker", slow) as process:
        job = await submitted(slow, inputs)
        await under_way(slow, job)
        response = await cancel(slow, job)
        assert (response.status_code, response.json()["state"]) == (200, "cancelled")
        assert [key.rpartition(":")[0] for key in keys_of(redis, job) if "lease" not in key] == [f"{JOBS}job"]
        process.terminate()
        # The server, which lives in this thread, answers what is under way.
        assert await asyncio.to_thread(process.ends_with) == 0, process.log.read_text()
    status = (await look_up(slow, job)).json()
    assert status["state"] == "cancelled"
    assert "results" not in status
    assert await computed(slow) - before < len(inputs)
    assert (await cancel(slow, job)).json()["state"] == "cancelled", "to say it twice is to say it once"


async def test_what_comes_back_is_what_each_text_would_be_answered(topics: Server) -> None:
    inputs = ["tides and the harbour", "an engine with a gearbox", "the anchor"]
    ended = await done(topics, await submitted(topics, inputs))
    assert ended["results"] == (await topics.predict([[text] for text in inputs])).json()
    assert ended["url"] == f"/jobs/{ended['id']}"
    assert ended["created_at"] <= ended["expires_at"] <= ended["deadline_at"], "its end came before its deadline"
    raw = await done(topics, await submitted(topics, inputs[:1], raw_scores=True))
    assert raw["results"] == (await topics.predict([inputs[:1]], raw_scores=True)).json()


async def test_results_expire_and_take_everything_else_of_the_job_along(topics: Server, redis: RedisProcess) -> None:
    job = await submitted(topics, ["tides"])
    assert (await done(topics, job))["results"]
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (gone := await look_up(topics, job)).status_code == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert gone.status_code == 404
    assert "it has expired" in gone.json()["error"]
    assert keys_of(redis, job) == []
    with inside(redis) as client:
        endless = [key for key in client.scan_iter(f"{JOBS.replace('domains', 'topics')}*") if client.ttl(key) == -1]
    assert [key for key in endless if "turns" not in key and "unacked" not in key] == [], "but what is of no job"


async def test_one_caller_has_so_many_jobs_until_some_go(topics: Server) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (response := await topics.client.post("/jobs", json={"inputs": ["tides"]})).status_code == 202:
            job = response.json()
    assert response.status_code == 429
    assert "3 jobs here" in response.json()["error"]
    assert int(response.headers["retry-after"]) > 0
    assert (await done(topics, job))["state"] == "done"
    assert (await cancel(topics, job)).status_code == 200, "one that has ended is removed"
    assert (await look_up(topics, job)).status_code == 404
    assert (await topics.client.post("/jobs", json={"inputs": ["tides"]})).status_code == 202


async def test_more_texts_than_a_job_may_have_are_refused_with_how_many_it_may(topics: Server) -> None:
    response = await topics.client.post("/jobs", json={"inputs": ["sea"] * (MAX_JOB_INPUTS + 1)})
    assert response.status_code == 422
    told = f"inputs: {MAX_JOB_INPUTS + 1} entries, at most {MAX_JOB_INPUTS} go into one job; send several"
    assert response.json()["error"] == told
    assert MAX_JOB_INPUTS > MAX_INPUTS


async def test_jobs_are_counted_by_their_state(topics: Server) -> None:
    counted = {name[1] for name in await topics.metrics() if name[0] == "plimsoll_jobs"}
    assert counted == {"queued", "running", "done", "failed", "cancelled"}


async def test_vectors_come_back_as_they_are_embedded(url_file: Path, tmp_path: Path) -> None:
    config = server_config(random_model(tmp_path / "model"), model={"task": "feature-extraction"})
    name: dict[str, Any] = {"PLIMSOLL_DEPLOYMENT": "vectors"}
    inputs = ["the old harbour", "near the sea"]
    async with serving(config, PLIMSOLL_REDIS_URL_FILE=str(url_file), **name) as server:
        with worker(tmp_path / "worker", server, **name):
            ended = await done(server, await submitted(server, inputs))
        embedded = (await server.client.post("/embed", json={"inputs": inputs})).json()
        openai = (await server.client.post("/v1/embeddings", json={"input": inputs})).json()
    assert ended["results"] == embedded == [entry["embedding"] for entry in openai["data"]]


async def test_a_text_that_has_no_answer_takes_no_others(url_file: Path, tmp_path: Path) -> None:
    model = lexicon_model(tmp_path / "model", {"tides": "sea", "tyre": "land"}, ("sea", "land"), poison=["socket"])
    config = server_config(model, longInput={"policy": "Reject"})
    inputs = ["the tides", "a socket", "a tyre", "the tides " * 200]
    name: dict[str, Any] = {"PLIMSOLL_DEPLOYMENT": "poisoned"}
    async with serving(config, PLIMSOLL_REDIS_URL_FILE=str(url_file), **name) as server:
        with worker(tmp_path / "worker", server, **name) as process:
            ended = await done(server, await submitted(server, inputs))
            cut = await done(server, await submitted(server, inputs[3:], truncate=True))
            log = process.log.read_text()
    assert (ended["state"], ended["done"], ended["failed"]) == ("done", 4, 2)
    sea, not_finite, land, too_long = ended["results"]
    assert [sea[0]["label"], land[0]["label"]] == ["sea", "land"]
    assert not_finite["error_type"] == "NonFinite"
    assert "400 tokens" in too_long["error"] or "402 tokens" in too_long["error"], too_long
    assert (cut["failed"], cut["results"][0][0]["label"]) == (0, "sea")
    assert cut["truncated_tokens"] > 100
    assert "socket" not in log


async def test_what_is_not_done_by_the_deadline_is_told_in_its_place(url_file: Path, tmp_path: Path) -> None:
    name: dict[str, Any] = {"PLIMSOLL_DEPLOYMENT": "late"}
    variables: dict[str, Any] = {
        "PLIMSOLL_REDIS_URL_FILE": str(url_file),
        "PLIMSOLL_JOBS_DEADLINE_SECONDS": "1",
        **name,
    }
    async with serving(server_config(topic_model(tmp_path / "model")), **variables) as server:
        with worker(tmp_path / "worker", server, **name) as process:
            await done(server, await submitted(server, ["tides"]))
            process.process.kill()
            process.ends_with()
        job = await submitted(server, ["tides", "tyre"])
        late = await done(server, job)
    assert (late["state"], late["done"]) == ("failed", 0)
    assert "not done by its deadline" in late["error"]
    assert [entry["error_type"] for entry in late["results"]] == ["Timeout", "Timeout"]


async def test_a_job_is_its_makers_alone_and_the_worker_has_a_key_of_its_own(url_file: Path, tmp_path: Path) -> None:
    keys, own = tmp_path / "keys", tmp_path / "own"
    keys.write_text(f"{KEY}\n{OTHER}\n{WORKERS}\n")
    own.write_text(WORKERS)
    name: dict[str, Any] = {"PLIMSOLL_DEPLOYMENT": "keyed"}
    variables: dict[str, Any] = {"PLIMSOLL_REDIS_URL_FILE": str(url_file), "PLIMSOLL_API_KEYS_FILE": str(keys), **name}
    server = serving(server_config(topic_model(tmp_path / "model")), **variables)
    async with server as keyed:
        with worker(tmp_path / "worker", keyed, PLIMSOLL_WORKER_KEY_FILE=str(own), **name):
            assert (await keyed.client.post("/jobs", json={"inputs": ["tides"]})).status_code == 401
            job = await submitted(keyed, ["tides"], key=KEY)
            assert (await done(keyed, job, key=KEY))["results"][0][0]["label"] == "sea"
            for asked in (look_up, cancel):
                refused = await asked(keyed, job, key=OTHER)
                unknown = await asked(keyed, {"url": "/jobs/" + "x" * 22}, key=OTHER)
                assert refused.status_code == unknown.status_code == 404
                assert refused.json() == unknown.json(), "that it is there is not told"
            assert (await look_up(keyed, job)).status_code == 401
            assert (await look_up(keyed, job, key=KEY)).status_code == 200


async def test_without_a_redis_a_worker_or_an_answer_of_the_redis_it_is_said_what_is_missing(tmp_path: Path) -> None:
    config = server_config(topic_model(tmp_path / "model"))
    job: Status = {"url": "/jobs/" + "x" * 22}
    async with serving(config) as server:
        for response in (
            await server.client.post("/jobs", json={"inputs": ["tides"]}),
            await look_up(server, job),
            await cancel(server, job),
        ):
            assert response.status_code == 404
            assert "PLIMSOLL_REDIS_URL_FILE" in response.json()["error"]
    url_file = tmp_path / "url"
    with running_redis(tmp_path) as redis:
        url_file.write_text(redis.url)
        async with serving(config, PLIMSOLL_REDIS_URL_FILE=str(url_file)) as server:
            response = await server.client.post("/jobs", json={"inputs": ["tides"]})
            assert response.status_code == 503
            assert "no worker has been seen" in response.json()["error"]
            redis.stop()
            for response in (
                await server.client.post("/jobs", json={"inputs": ["tides"]}),
                await look_up(server, job),
                await cancel(server, job),
            ):
                assert response.status_code == 503
                assert "the Redis that holds the jobs does not answer" in response.json()["error"]
                assert int(response.headers["retry-after"]) > 0
            assert (await server.predict("tides")).status_code == 200, "who waits for an answer needs no Redis"


async def test_a_worker_without_an_address_says_which_variable_is_missing(tmp_path: Path, topics: Server) -> None:
    with worker(tmp_path / "worker", topics, PLIMSOLL_SERVER_URL="") as process:
        assert process.ends_with() == 1
        last = json.loads(process.log.read_text().splitlines()[-1])["message"]
    assert "PLIMSOLL_SERVER_URL" in last
