"""Admission and batching: bounded queues, order, places given back, and who may wait."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import count

import pytest

from plimsoll_server.scheduler.errors import OverloadedError
from plimsoll_server.scheduler.lanes import Lane
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.types import LoadLine

pytestmark = pytest.mark.asyncio


@dataclass
class Devices:
    devices: int = 1
    now: LoadLine = field(default_factory=LoadLine)

    def line(self) -> LoadLine:
        return self.now


def lane(max_tokens: int = 100, concurrency: int = 2, devices: Devices | None = None) -> Lane:
    return Lane(Tier("long", max_tokens, concurrency, concurrency), devices or Devices(), changed=lambda: None)


def tokens(length: int) -> list[int]:
    return [4] * length


async def fill(full: Lane, length: int) -> int:
    """Admits sequences until there is no place; returns how many found one."""
    for admitted in count():
        try:
            full.admit(tokens(length))
        except OverloadedError:
            return admitted
    raise AssertionError


async def test_the_queue_is_bounded_in_tokens() -> None:
    assert await fill(lane(max_tokens=100, concurrency=2), 100) == 8, "four batches of two"


async def test_the_queue_is_bounded_in_items() -> None:
    assert await fill(lane(max_tokens=100_000, concurrency=2), 1) == 64


async def test_a_refusal_says_what_is_full_and_when_to_come_back() -> None:
    full = lane()
    await fill(full, 100)
    full.finish(len(full.take(2)), seconds=6.0)
    await fill(full, 100)
    with pytest.raises(OverloadedError) as refusal:
        full.admit(tokens(100))
    assert refusal.value.tier == "long"
    assert refusal.value.retry_after == 30, "five batches of six seconds"
    assert "8 sequences of 800 tokens wait, at most 64 and 800, 2 run at once" in str(refusal.value)


async def test_an_empty_queue_takes_the_longest_sequence() -> None:
    assert lane(max_tokens=100, concurrency=1).admit(tokens(100))


async def test_the_oldest_are_taken_first() -> None:
    busy = lane(concurrency=2)
    works = [busy.admit(tokens(10)) for _ in range(3)]
    assert busy.take(2) == works[:2]
    assert (busy.running, busy.queued, busy.queued_tokens) == (2, 1, 10)


@pytest.mark.parametrize(
    ("devices", "limit", "batch", "queued"),
    [
        pytest.param(Devices(), 40, 32, 160, id="as planned"),
        pytest.param(Devices(devices=3), 40, 32, 480, id="three devices"),
        pytest.param(Devices(now=LoadLine(factor=0.5)), 20, 20, 80, id="after a shortage"),
        pytest.param(Devices(now=LoadLine(bytes_per_token=10, room=10_000)), 10, 10, 64, id="as measured"),
        pytest.param(Devices(now=LoadLine(bytes_per_token=10, room=10)), 1, 1, 64, id="never less than one"),
    ],
)
async def test_a_lane_is_as_wide_as_the_line_and_the_devices_allow(
    devices: Devices, limit: int, batch: int, queued: int
) -> None:
    wide = lane(max_tokens=100, concurrency=40, devices=devices)
    assert (wide.limit, wide.batch_limit, wide.at_once) == (limit, batch, limit * devices.devices)
    assert await fill(wide, 1) == queued


async def test_who_leaves_is_never_batched_and_gives_the_place_back() -> None:
    full = lane()
    first = full.admit(tokens(100))
    await fill(full, 100)
    full.leave(first)
    assert full.admit(tokens(100))
    assert first not in full.take(full.queued)


async def test_who_follows_waits_for_room_and_comes_before_any_newcomer() -> None:
    full = lane()
    await fill(full, 100)
    order: list[str] = []

    async def follow(name: str) -> None:
        await full.follow(tokens(100))
        order.append(name)

    followers = [asyncio.create_task(follow(name)) for name in ("first", "second")]
    await asyncio.sleep(0)
    full.take(2)
    with pytest.raises(OverloadedError):
        full.admit(tokens(100))
    async with asyncio.timeout(30):
        await asyncio.gather(*followers)
    assert order == ["first", "second"]


async def test_a_follower_that_gives_up_makes_way_for_the_next() -> None:
    full = lane()
    await fill(full, 100)
    quitter, patient = (asyncio.create_task(full.follow(tokens(100))) for _ in range(2))
    await asyncio.sleep(0)
    quitter.cancel()
    full.take(2)
    async with asyncio.timeout(30):
        await patient


async def test_saturation_counts_the_waiting_and_the_running_against_the_load_line() -> None:
    busy = lane(concurrency=2)
    for _ in range(5):
        busy.admit(tokens(10))
    busy.take(2)
    assert busy.saturation == 2.5


async def test_each_device_carries_its_share_of_the_load_and_a_lowered_line_makes_it_weigh_more() -> None:
    devices = Devices(devices=2)
    busy = lane(concurrency=4, devices=devices)
    for _ in range(4):
        busy.admit(tokens(10))
    assert busy.saturation == 0.5
    devices.now = LoadLine(factor=0.5)
    assert busy.saturation == 1.0


async def test_a_tier_that_never_runs_has_no_load() -> None:
    assert Lane(Tier("long", 100, 1, running_limit=0), Devices(), changed=lambda: None).saturation == 0.0
