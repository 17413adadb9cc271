"""How a job is cut into slices, what an answer means for one, and what two workers of the same job do to each other."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from plimsoll_server.config import ConfigError
from plimsoll_server.jobs.asking import Answered, Busy, Lost, Refused, Reply, verdict
from plimsoll_server.jobs.errors import AwayError
from plimsoll_server.jobs.records import SLICE_BYTES, SLICE_INPUTS, Job, Slice, State, slices_of
from plimsoll_server.jobs.settings import read_worker_settings
from plimsoll_server.jobs.store import Store
from redis_process import RedisProcess

TEXTS = ["one", "two", "three"]


def make_job(**changes: Any) -> Job:
    now = int(time.time())
    fields: dict[str, Any] = {
        "id": "a-job",
        "owner": "somebody",
        "path": "/predict",
        "fields": {"truncate": False},
        "state": State.QUEUED,
        "inputs": len(TEXTS),
        "created": now,
        "deadline": now + 100,
        "expires": now + 200,
        "kept": 100,
    }
    return Job(**{**fields, **changes})


@pytest.mark.parametrize(
    ("texts", "sizes"),
    [
        pytest.param(["a"], [1], id="one text"),
        pytest.param(["a"] * (2 * SLICE_INPUTS + 1), [SLICE_INPUTS, SLICE_INPUTS, 1], id="many short ones"),
        pytest.param(["a" * SLICE_BYTES, "b"], [1, 1], id="one that fills a slice"),
        pytest.param(["a", "b" * 2 * SLICE_BYTES, "c"], [1, 1, 1], id="one that is larger"),
        pytest.param(["é" * (SLICE_BYTES // 4)] * 3, [2, 1], id="by bytes"),
    ],
)
def test_a_slice_is_small_and_all_of_them_are_the_job(texts: list[str], sizes: list[int]) -> None:
    slices = list(slices_of(texts))
    assert [len(one.texts) for one in slices] == sizes
    assert [text for one in slices for text in one.texts] == texts
    assert [one.offset for one in slices] == [sum(sizes[:at]) for at in range(len(sizes))]


TOLD = {"error": "too long", "error_type": "Validation"}


@pytest.mark.parametrize(
    ("status", "headers", "content", "reply"),
    [
        pytest.param(200, {}, [1, 2], Answered([1, 2]), id="answers"),
        pytest.param(200, {"X-Plimsoll-Truncated-Tokens": "3,0"}, [1, 2], Answered([1, 2], 3), id="cut"),
        pytest.param(200, {"X-Plimsoll-Truncated-Tokens": "total=7"}, [1, 2], Answered([1, 2], 7), id="cut, in all"),
        pytest.param(429, {"Retry-After": "4"}, TOLD, Busy(4.0, "it answers 429"), id="full"),
        pytest.param(429, {"Retry-After": "4000"}, TOLD, Busy(30.0, "it answers 429"), id="full for long"),
        pytest.param(503, {}, {"error_type": "Unhealthy"}, Busy(2.0, "it answers 503"), id="loading"),
        pytest.param(503, {}, None, Busy(2.0, "it answers 503"), id="nobody behind the Service"),
        pytest.param(504, {}, TOLD, Lost("it answers 504"), id="too slow"),
        pytest.param(413, {}, TOLD, Refused(TOLD), id="too long"),
        pytest.param(
            503,
            {},
            {"error": "too large", "error_type": "OutOfMemory"},
            Refused({"error": "too large", "error_type": "OutOfMemory"}),
            id="too large for the memory",
        ),
        pytest.param(
            200,
            {},
            [1],
            Refused({"error": "the server answered 200", "error_type": "Backend"}),
            id="fewer answers than texts",
        ),
    ],
)
def test_what_an_answer_means(status: int, headers: dict[str, str], content: Any, reply: Reply) -> None:
    assert verdict(status, headers, b"no JSON" if content is None else json.dumps(content).encode(), 2) == reply


def test_a_key_that_is_not_known_is_waited_for_and_the_variable_named() -> None:
    reply = verdict(401, {}, b"{}", 1)
    assert isinstance(reply, Busy)
    assert "PLIMSOLL_WORKER_KEY_FILE" in reply.why


@pytest.fixture
def store(redis: RedisProcess) -> Store:
    return Store(lambda: redis.url, "guardrails/domains")


def begun(store: Store, job: Job) -> Slice:
    """The first slice of a job that is running."""
    assert store.add(job, slices_of(TEXTS), most=8)
    assert store.move(job, State.RUNNING)
    found = store.next_slice(job)
    assert found is not None
    return found


def test_an_answer_is_kept_once_whoever_comes_second(store: Store) -> None:
    job = make_job()
    slice_ = begun(store, job)
    assert store.keep(job, slice_, [1, 2, 3], failed=0, truncated_tokens=0)
    assert not store.keep(job, slice_, [4, 5, 6], failed=0, truncated_tokens=0)
    assert store.kept(job) == [(0, 3)]
    assert store.answers(job, 0, 3) == "[1,2,3]"
    assert store.next_slice(job) is None


def test_an_answer_to_a_slice_that_was_cut_up_meanwhile_is_left_out(store: Store) -> None:
    """Its texts would else be answered twice."""
    job = make_job()
    slice_ = begun(store, job)
    alone = [Slice(at, [text]) for at, text in enumerate(TEXTS)]
    store.replace(job, slice_, alone)
    assert not store.keep(job, slice_, [1, 2, 3], failed=0, truncated_tokens=0)
    assert store.next_slice(job) == alone[0]


def test_a_job_that_was_cancelled_begins_no_more_and_keeps_no_answer(store: Store) -> None:
    job = make_job()
    slice_ = begun(store, job)
    assert store.move(job, State.CANCELLED)
    assert not store.move(job, State.DONE)
    assert not store.keep(job, slice_, [1, 2, 3], failed=0, truncated_tokens=0)
    assert store.kept(job) == []
    found = store.find(job.id)
    assert found is not None
    assert found.state is State.CANCELLED


def test_a_job_has_one_worker_at_a_time_and_another_once_that_is_lost(store: Store) -> None:
    with store.leased("a-job", 0.2) as first:
        assert first is not None
        with store.leased("a-job", 0.2) as second:
            assert second is None
        time.sleep(0.25)
        assert not store.renewed(first), "it has been silent for too long"
        with store.leased("a-job", 30) as second:
            assert second is not None
            assert store.renewed(second)
    with store.leased("a-job", 30) as third:
        assert third is not None, "whoever is done hands it back"


def test_a_redis_that_is_away_is_told_and_dialled_anew(store: Store, redis: RedisProcess) -> None:
    store.sign_on()
    redis.stop()
    with pytest.raises(AwayError):
        store.has_worker()
    redis.start()
    assert not store.has_worker(), "another life of it"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("PLIMSOLL_REDIS_URL_FILE", "", id="no redis"),
        pytest.param("PLIMSOLL_SERVER_URL", "", id="no server"),
        pytest.param("PLIMSOLL_SERVER_URL", "domains:80", id="no address"),
        pytest.param("PLIMSOLL_WORKER_LOST_SECONDS", "soon", id="no time"),
    ],
)
def test_a_variable_that_is_missing_or_wrong_is_named(name: str, said: str) -> None:
    told = {"PLIMSOLL_REDIS_URL_FILE": "/etc/plimsoll/redis/url", "PLIMSOLL_SERVER_URL": "http://domains", name: said}
    with pytest.raises(ConfigError, match=name):
        read_worker_settings(told)
