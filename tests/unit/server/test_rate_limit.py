"""How often one caller may come: counted alike with a Redis and without, and never at the price of the service."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asgi_caller import Call, Inner, caller_of
from plimsoll_server.api.auth import Auth
from plimsoll_server.api.key_ring import parse_keys
from plimsoll_server.api.rate_limit import RateLimit, Rates
from plimsoll_server.api.shared_rates import SharedRates
from plimsoll_server.api.window import MAX_CALLERS, SlidingWindow
from plimsoll_server.redis_url import parse_redis_url
from plimsoll_server.renewed_file import FileError, RenewedFile
from redis_process import DEADLINE_SECONDS, RedisProcess, waited_for

PATHS = {"/predict", "/v1/embeddings"}.__contains__
PATIENCE = 0.25


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    """A Redis that is well answers at last."""
    with waited_for(DEADLINE_SECONDS):
        yield


def waits(window: SlidingWindow, *moments: float) -> list[float | None]:
    return [window.wait_for("a", moment) for moment in moments]


def test_so_many_are_admitted_and_the_next_is_told_when() -> None:
    window = SlidingWindow(3, 60)
    assert waits(window, 600, 601, 602) == [None] * 3
    [wait] = waits(window, 603)
    assert wait is not None
    assert 0 < wait <= 120
    assert waits(window, 603 + wait + 0.001) == [None], "it was told the truth"


def test_whoever_keeps_to_what_it_is_told_loses_nothing_more() -> None:
    """A caller that always waits as told is admitted at each second try, at the rate that was set."""
    window, now, admitted = SlidingWindow(10, 60), 0.0, 0
    while now < 3600:
        wait = window.wait_for("a", now)
        admitted += wait is None
        now += (wait or 0) + 0.001
    assert 60 * 10 * 0.8 <= admitted <= 61 * 10


def test_a_caller_who_never_stops_asking_gets_its_rate_and_no_minute_has_much_more() -> None:
    window = SlidingWindow(100, 60)
    times = [moment for tenth in range(6000) if window.wait_for("a", moment := tenth / 10) is None]
    assert 900 <= len(times) <= 1150, "in ten minutes"
    busiest = max(sum(start <= moment < start + 60 for moment in times) for start in times)
    assert busiest <= 150, "two counters only approximate"


def test_a_burst_at_the_end_of_a_window_gets_at_most_twice_the_rate_within_any_minute() -> None:
    """The most that two counters let through: docs/server.md states it."""
    window = SlidingWindow(100, 60)
    moments = [600 + 59.9 + step / 1000 for step in range(60_000)]
    times = [moment for moment in moments if window.wait_for("a", moment) is None]
    busiest = max(sum(start <= moment < start + 60 for moment in times) for start in times)
    assert 190 <= busiest <= 200


def test_at_the_border_of_two_windows_nothing_is_admitted_without_being_counted() -> None:
    window = SlidingWindow(100, 60)
    assert waits(window, *[59.0] * 100) == [None] * 100
    assert waits(window, *[60.0] * 300) == [0] * 300, "refused until the next instant"
    assert waits(window, *[60.001] * 3) == [None, *[pytest.approx(0.599)] * 2]


class AtTheBorder:
    """Counts that admit again in the next instant."""

    async def wait_for(self, caller: str) -> float | None:
        return 0.0

    async def close(self) -> None:
        """Nothing is open."""


async def test_whoever_may_come_in_the_next_instant_is_refused_in_this_one() -> None:
    call = caller_of(RateLimit(Inner(), Rates("1/hour", SlidingWindow(1, 3600), AtTheBorder()), PATHS))
    answer = await call()
    assert (answer.status_code, answer.headers.get("retry-after")) == (429, "1")


def test_each_caller_has_its_own_and_those_who_left_are_forgotten() -> None:
    window = SlidingWindow(1, 60)
    assert [window.wait_for(name, 600) for name in ("a", "b")] == [None, None]
    assert window.wait_for("a", 600) is not None
    for number in range(MAX_CALLERS):
        window.wait_for(f"other {number}", 601)
    assert window.wait_for("a", 601) is None


def limited(inner: Inner | Auth, amount: int, shared: SharedRates | None = None) -> Call:
    return caller_of(RateLimit(inner, Rates(f"{amount}/hour", SlidingWindow(amount, 3600), shared), PATHS))


async def statuses(call: Call, count: int, **how: str) -> list[int]:
    return [(await call(**how)).status_code for _ in range(count)]


@pytest.mark.parametrize("path", ["/predict", "/v1/embeddings"])
async def test_what_is_above_the_rate_is_answered_429_with_when_to_come_again(path: str) -> None:
    call = limited(Inner(), 2)
    assert await statuses(call, 2, path=path) == [200, 200]
    refused = await call(path)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 7200
    assert "2/hour" in refused.text
    assert "rate_limit" in refused.text or refused.json()["error_type"] == "RateLimited"


@pytest.mark.parametrize(
    ("address", "same"),
    [
        pytest.param("10.0.0.2", False, id="another address"),
        pytest.param("10.0.0.1", True, id="the same address"),
        pytest.param("::ffff:10.0.0.1", True, id="the same by IPv6"),
    ],
)
async def test_without_keys_a_caller_is_an_address(address: str, same: bool) -> None:
    call = limited(Inner(), 1)
    assert await statuses(call, 1, address="10.0.0.1") == [200]
    assert await statuses(call, 1, address=address) == [429 if same else 200]


async def test_all_addresses_of_one_network_of_ipv6_are_one_caller() -> None:
    call = limited(Inner(), 1)
    assert await statuses(call, 1, address="2001:db8:0:1::1") == [200]
    assert await statuses(call, 1, address="2001:db8:0:1:ffff::2") == [429]
    assert await statuses(call, 1, address="2001:db8:0:2::1") == [200]


async def test_what_is_no_address_is_no_caller_of_its_own() -> None:
    call = limited(Inner(), 1)
    assert await statuses(call, 1, address="of my own making") == [200]
    assert await statuses(call, 1, address="and another") == [429]


async def test_with_keys_a_caller_is_its_key_wherever_it_calls_from() -> None:
    first, second = "a-key-of-the-first-caller", "a-key-of-the-second-caller"
    ring = parse_keys(f"{first}\n{second}".encode())
    limit = RateLimit(Inner(), Rates("1/hour", SlidingWindow(1, 3600)), PATHS)
    call = caller_of(Auth(limit, lambda: ring, lambda _: False))
    answers = [
        await call(headers={"Authorization": f"Bearer {key}"}, address=address)
        for key, address in ((first, "10.0.0.1"), (first, "10.0.0.2"), (second, "10.0.0.1"))
    ]
    assert [answer.status_code for answer in answers] == [200, 429, 200]


async def test_what_is_no_request_of_a_protocol_is_not_counted() -> None:
    call = limited(Inner(), 1)
    assert await statuses(call, 3, path="/info") == [200] * 3


class Counted:
    """Rates that pods count together, and how often the Redis failed them."""

    def __init__(self, redis: RedisProcess, amount: int) -> None:
        self.failures = 0
        self.rates = SharedRates(f"{amount}/hour", lambda: redis.url, "guardrails/domains", self._failed)

    def _failed(self) -> None:
        self.failures += 1


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


async def test_pods_count_together_in_a_redis(redis: RedisProcess) -> None:
    pods = [Counted(redis, 4) for _ in range(2)]
    calls = [limited(Inner(), 4, pod.rates) for pod in pods]
    assert [status for call in calls for status in await statuses(call, 2)] == [200] * 4
    refused = [await call() for call in calls]
    assert [answer.status_code for answer in refused] == [429, 429]
    assert all(1 <= int(answer.headers["retry-after"]) <= 7200 for answer in refused)
    for pod in pods:
        await pod.rates.close()
        assert pod.failures == 0


async def test_deployments_that_share_a_redis_do_not_count_each_others_callers(redis: RedisProcess) -> None:
    rates = [SharedRates("1/hour", lambda: redis.url, name, lambda: None) for name in ("a/one", "b/one")]
    assert [await one.wait_for("caller") for one in rates] == [None, None]
    assert await rates[0].wait_for("caller") is not None
    for one in rates:
        await one.close()


@pytest.mark.parametrize("how", ["away", "hanging"])
async def test_without_an_answer_of_the_redis_each_pod_counts_for_itself(
    redis: RedisProcess, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted(redis, 2)
    call = limited(Inner(), 2, counted.rates)
    assert await statuses(call, 1) == [200]
    with caplog.at_level(logging.WARNING):
        if how == "away":
            redis.stop()
            assert await statuses(call, 3) == [200, 200, 429]
        else:
            with redis.hanging(), waited_for(PATIENCE), within(30):
                assert await statuses(call, 3) == [200, 200, 429]
    assert counted.failures == 1, "it is left alone for a while"
    assert len(caplog.records) == 1
    assert f"({'ConnectionError' if how == 'away' else 'TimeoutError'}): each pod counts for itself" in caplog.text
    assert redis.password not in caplog.text
    await counted.rates.close()


async def test_many_who_wait_for_the_same_silence_say_so_once(
    redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted(redis, 100)
    call = limited(Inner(), 100, counted.rates)
    with redis.hanging(), waited_for(PATIENCE), caplog.at_level(logging.WARNING):
        answers = await asyncio.gather(*(call() for _ in range(20)))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert len(caplog.records) == 1
    await counted.rates.close()


async def test_a_redis_that_was_restarted_is_used_again(redis: RedisProcess) -> None:
    counted = Counted(redis, 2)
    assert await counted.rates.wait_for("caller") is None
    redis.stop()
    redis.start()
    assert await counted.rates.wait_for("caller") is None, "over a connection of its own: the old one is gone"
    assert counted.failures == 0
    await counted.rates.close()


@pytest.mark.parametrize("content", [b"", b"redis:6379", b"http://redis:6379", b"redis://", b"redis://:word@host:port"])
def test_an_address_that_is_none_is_refused_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "url"
    file.write_bytes(content)
    with pytest.raises(FileError, match="expected the address of a Redis") as refused:
        RenewedFile(file, parse_redis_url)
    assert "word" not in str(refused.value)
