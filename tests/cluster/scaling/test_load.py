"""What the real autoscaler and the operator make of a load, alone and through a rollout."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from cluster.scaling.fixed import Fixed, park
from cluster.scaling.following import MOST, RAMP, Following, follow
from cluster.scaling.heir import Heir, inherit
from cluster.scaling.judged import SHORT, Judged, judge
from cluster.scaling.rising import Rising, rise
from cluster.scaling.scene import WINDOW_SECONDS, Place
from cluster.scaling.warming import PODS as WARMING_PODS
from cluster.scaling.warming import Warming, warm
from scale_writes import turns

# The first to ask waits for its whole play.
pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

STRATEGIES = ("RollingUpdate", "Canary")
WINDOW = timedelta(seconds=WINDOW_SECONDS)


@pytest.fixture(scope="module")
def plays(place: Place) -> Iterator[dict[str, Future[Any]]]:
    """All at once: they wait for the autoscaler most of the time."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield {
            "following": pool.submit(follow, place),
            "heir": pool.submit(inherit, place),
            "judged": pool.submit(judge, place),
            "fixed": pool.submit(park, place),
            "warming": pool.submit(warm, place),
            **{strategy: pool.submit(rise, place, strategy) for strategy in STRATEGIES},
        }


@pytest.fixture
def following(plays: dict[str, Future[Following]]) -> Following:
    return plays["following"].result()


@pytest.fixture
def heir(plays: dict[str, Future[Heir]]) -> Heir:
    return plays["heir"].result()


@pytest.fixture
def judged(plays: dict[str, Future[Judged]]) -> Judged:
    return plays["judged"].result()


@pytest.fixture(params=STRATEGIES)
def rising(plays: dict[str, Future[Rising]], request: pytest.FixtureRequest) -> Rising:
    return plays[request.param].result()


@pytest.mark.parametrize("pods", [pytest.param(pods, id=f"{pods}-pods") for pods in (*RAMP, MOST)])
def test_replicas_follow_the_load_within_two_looks_of_the_autoscaler(following: Following, pods: int) -> None:
    assert following.rises[pods].looks <= 2, str(following.writes)


def test_they_rise_with_the_load_and_fall_once_after_it(following: Following) -> None:
    assert turns(following.writes.writes) == 1, str(following.writes)
    assert max(write.replicas for write in following.writes.writes) == MOST, str(following.writes)


def test_no_pod_is_given_up_before_the_load_was_low_for_a_whole_window(following: Following) -> None:
    looked = max(asked for asked in following.writes.rounds if asked < following.idle_at)
    first = next(write for write in following.writes.writes if write.lowers)
    assert first.at >= looked + WINDOW, str(following.writes)


def test_no_request_is_lost_when_pods_come_and_go(following: Following) -> None:
    assert following.lost == []


def test_pods_that_warm_up_neither_add_to_a_load_nor_hide_it(plays: dict[str, Future[Warming]]) -> None:
    warming = plays["warming"].result()
    assert warming.ready < WARMING_PODS, "they were ready too soon: the test shows nothing"
    assert max(write.replicas for write in warming.writes.writes) == WARMING_PODS, str(warming.writes)
    assert turns(warming.writes.writes) == 0, str(warming.writes)


def test_a_revision_that_takes_over_is_not_shrunk_by_what_the_one_before_it_had_to_do(heir: Heir) -> None:
    lowered = [write for write in heir.writes.of(heir.deployment) if write.lowers]
    assert lowered, "the autoscaler never wanted fewer: the test shows nothing"
    assert lowered[0].at >= heir.finished_at + WINDOW, str(heir.writes)


def test_a_canary_adds_no_pod_however_busy_it_is(judged: Judged) -> None:
    assert [write for write in judged.writes.of(judged.canary) if write.at < judged.promoted_at] == []
    assert judged.writes.between(*judged.overloaded) == []


def test_the_stable_revision_keeps_its_pods_while_a_canary_is_judged_beside_it(judged: Judged) -> None:
    assert judged.writes.between(*judged.idle) == []
    assert not [write for write in judged.writes.of(judged.stable) if write.lowers and write.at < judged.promoted_at]


def test_it_gets_more_pods_meanwhile_when_its_load_asks_for_them(judged: Judged) -> None:
    raised = [write for write in judged.writes.of(judged.stable) if write.at > judged.idle[1] and write.raises]
    assert {write.writer for write in raised} == {"autoscaler"}, str(judged.writes)
    assert max(write.replicas for write in raised) >= SHORT


def test_a_canary_that_is_promoted_gets_as_many_pods_and_no_request_is_lost(judged: Judged) -> None:
    size = max(write.replicas for write in judged.writes.of(judged.stable))
    taken = judged.writes.of(judged.canary)
    assert max(write.replicas for write in taken) >= size, str(judged.writes)
    assert not [write for write in taken if write.lowers], str(judged.writes)
    assert judged.lost == []


def test_a_load_that_rises_through_a_rollout_starts_no_fight(rising: Rising) -> None:
    told = str(rising.writes)
    assert not [write for write in rising.writes.by("autoscaler") if write.lowers], told
    assert not [write for write in rising.writes.of(rising.new) if write.lowers], told
    assert turns(rising.writes.of(rising.old)) <= 1, told


def test_no_request_is_lost_in_it(rising: Rising) -> None:
    assert rising.lost == []


def test_pods_are_parked_woken_and_handed_to_an_autoscaler_by_the_spec_alone(plays: dict[str, Future[Fixed]]) -> None:
    assert plays["fixed"].result() == Fixed(without=0, handed_over=1, parked_again=0)
