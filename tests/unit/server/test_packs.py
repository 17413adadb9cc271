"""What may run together, whatever waits: the invariants of the lanes under drawn queues."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll_server.scheduler.lanes import MAX_BATCH, Lane, Work
from plimsoll_server.scheduler.packs import Pack, Room, most_tokens, take_pack
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.types import LoadLine

TIERS = (Tier("512", 512, 16, 16), Tier("1k", 1024, 10, 10), Tier("4k", 4096, 3, 3), Tier("8k", 8192, 1, 1))


@dataclass
class Devices:
    devices: int = 1
    now: LoadLine = field(default_factory=LoadLine)

    def line(self) -> LoadLine:
        return self.now


def lanes_with(lengths: Sequence[int], devices: Devices | None = None) -> list[Lane]:
    """The lanes of TIERS with sequences of these lengths waiting, each in its tier, as far as there are places."""
    lanes = [Lane(tier, devices or Devices(), changed=lambda: None) for tier in TIERS]
    for length in lengths:
        lane = next(lane for lane in lanes if length <= lane.tier.max_tokens)
        if lane.queued < 64 and lane.queued_tokens + length <= 4 * lane.at_once * lane.tier.max_tokens:
            lane.admit(range(length))
    return lanes


def taken(lengths: Sequence[int], room: Room) -> Pack | None:
    async def within_a_loop() -> Pack | None:
        return take_pack(lanes_with(lengths), room)

    return asyncio.run(within_a_loop())


def lengths_of(pack: Pack | None) -> list[int]:
    return [] if pack is None else [len(work.tokens) for work in pack.works]


@pytest.mark.parametrize(
    ("waiting", "room", "expected"),
    [
        pytest.param([300, 400], Room(), [300, 400], id="mixed lengths"),
        pytest.param([300, 900, 100], Room(), [300, 100, 900], id="short tiers share a pack"),
        pytest.param([300, 4000], Room(), [300], id="a long one keeps to itself"),
        pytest.param([2000, 3000, 300], Room(), [300], id="the first lane in turn leads"),
        pytest.param([2000, 3000, 2500, 4000], Room(), [2000, 3000, 2500], id="no more of a tier than may run"),
        pytest.param([512] * 10, Room(tokens=1600), [512] * 3, id="no more tokens than there is room for"),
        pytest.param([8000], Room(tokens=1600), [8000], id="one alone always runs"),
        pytest.param([400, 900], Room(first=300), [], id="too long to come first"),
        pytest.param([400, 600], Room(first=450, tokens=200), [400], id="the first may take it all"),
        pytest.param([500] * 12 + [900] * 12, Room(), [500] * 12 + [900] * 2, id="each tier has its share of the line"),
    ],
)
def test_the_next_pack(waiting: list[int], room: Room, expected: list[int]) -> None:
    assert lengths_of(taken(waiting, room)) == expected


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        pytest.param([Tier("512", 512, 16, 16)], 16 * 512, id="as many as may run"),
        pytest.param([Tier("512", 512, 100, 100)], MAX_BATCH * 512, id="a full batch"),
        pytest.param([Tier("512", 512, 100, 100), Tier("1k", 1024, 20, 20)], MAX_BATCH * 1024, id="of short tiers"),
        pytest.param([Tier("512", 512, 8, 8), Tier("8k", 8192, 2, 2)], 2 * 8192, id="of the long one"),
        pytest.param([], 0, id="none"),
    ],
)
def test_the_most_that_a_pack_may_hold(tiers: list[Tier], expected: int) -> None:
    assert most_tokens([Lane(tier, Devices(), changed=lambda: None) for tier in tiers]) == expected


@given(st.lists(st.integers(1, 8192), max_size=60), st.integers(1, 20_000), st.integers(1, 20_000))
def test_no_pack_goes_beyond_the_line(waiting: list[int], first: int, tokens: int) -> None:
    async def check() -> None:
        lanes = lanes_with(waiting)
        pack = take_pack(lanes, Room(first, tokens))
        if pack is None:
            assert all(next(lane.waiting(), None) is None or len(next(lane.waiting()).tokens) > first for lane in lanes)
            return
        assert len(pack.works) <= MAX_BATCH
        assert pack.tokens == sum(len(work.tokens) for work in pack.works)
        assert pack.tokens <= tokens or len(pack.works) == 1
        assert pack.tokens <= most_tokens(lanes)
        assert len(pack.works[0].tokens) <= first
        assert sum(count / lane.limit for lane, count in pack.lanes) <= 1 + 1e-6
        assert all(lane.running == count for lane, count in pack.lanes)
        assert pack.tier.max_tokens >= max(len(work.tokens) for work in pack.works)

    asyncio.run(check())


@given(st.lists(st.integers(1, 8192), max_size=40), st.integers(500, 20_000))
def test_everything_that_waits_runs_once_and_in_the_order_of_its_lane(waiting: list[int], tokens: int) -> None:
    async def drain() -> None:
        lanes = lanes_with(waiting)
        expected = [work for lane in lanes for work in lane.waiting()]
        ran: list[Work] = []
        for _ in range(len(expected) + 1):
            pack = take_pack(lanes, Room(tokens=tokens))
            if pack is None:
                break
            ran += pack.works
            for lane, count in pack.lanes:
                lane.finish(count, 0.1)
        assert set(map(id, ran)) == set(map(id, expected))
        assert len(ran) == len(expected)
        for tier in TIERS:
            order = [work for work in expected if len(work.tokens) <= tier.max_tokens]
            mine = [
                work for work in order if not any(len(work.tokens) <= t.max_tokens < tier.max_tokens for t in TIERS)
            ]
            assert [id(work) for work in ran if work in mine] == [id(work) for work in mine]
        assert all(lane.queued == lane.running == lane.queued_tokens == 0 for lane in lanes)

    asyncio.run(drain())


@given(
    st.lists(st.tuples(st.sampled_from(["admit", "leave", "take", "finish"]), st.integers(1, 512)), max_size=80),
    st.integers(1, 3),
)
def test_a_lane_counts_right_whatever_happens_to_it(steps: list[tuple[str, int]], devices: int) -> None:
    async def play() -> None:
        lane = Lane(Tier("512", 512, 4, 4), Devices(devices), changed=lambda: None)
        waiting, running = [], []
        for step, number in steps:
            if step == "admit" and lane.queued < 64 and lane.queued_tokens + number <= 4 * lane.at_once * 512:
                waiting.append(lane.admit(range(number)))
            elif step == "leave" and waiting:
                lane.leave(waiting.pop(number % len(waiting)))
            elif step == "take":
                count = min(len(waiting), lane.batch_limit)
                assert lane.take(count) == waiting[:count]
                running += [count]
                del waiting[:count]
            elif step == "finish" and running:
                lane.finish(running.pop(), 0.1)
            assert lane.queued == len(waiting)
            assert lane.queued_tokens == sum(len(work.tokens) for work in waiting)
            assert lane.running == sum(running)
            assert lane.saturation == (len(waiting) + sum(running)) / (4 * devices)

    asyncio.run(play())
