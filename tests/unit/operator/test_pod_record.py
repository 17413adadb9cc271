"""How pods end, told from what the Kubernetes API keeps of it: each end once, whoever looks and however often."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from builders import NOW, make_pod, make_workload
from plimsoll_operator.observed import MEMORY, Milestones, Pod, Workload
from plimsoll_operator.rollout.evidence import Counts
from plimsoll_operator.rollout.evidence.guards import fails_to_start
from plimsoll_operator.rollout.measuring import pod_record
from plimsoll_operator.rollout.measuring.pod_record import KILLS, LATELY, MOST_PODS, RESTARTS, PodRecord
from strata import PODS

HOUR_AGO = NOW - timedelta(hours=1)
BEGAN = PodRecord(NOW - timedelta(minutes=2))


def running(name: str = "a", *, since: datetime = HOUR_AGO, restarts: int = 0, **fields: object) -> Pod:
    """A pod on a node since then, that serves."""
    reached = Milestones(since, scheduled=since, running=since, started=True, ready_changed=since)
    return make_pod("new", name=name, ready=True, restarts=restarts, milestones=reached, **fields)


def ended(
    name: str = "a", *, after: float, served: bool = False, reason: str = "Error", code: int = 1, restarts: int = 0
) -> Pod:
    """A pod whose server ended just now, so many seconds after it was started."""
    start = NOW - timedelta(seconds=after)
    changed = NOW if served else start - timedelta(seconds=1)
    reached = Milestones(HOUR_AGO, scheduled=HOUR_AGO, ready_changed=changed)
    last = {
        "last_exit_at": NOW,
        "last_run": timedelta(seconds=after),
        "last_exit_reason": reason,
        "last_exit_code": code,
    }
    return make_pod("new", name=name, restarts=restarts, milestones=reached, **last)


def workload(*pods: Pod) -> Workload:
    return make_workload("new", len(pods), *pods)


def test_a_pod_that_runs_did_nothing_but_run() -> None:
    news = pod_record.news(workload(running()), BEGAN, NOW)
    assert (news.minutes, news.kills, news.restarts, news.failed_starts) == (2.0, 0, 0, 0)


def test_pod_minutes_count_from_when_a_pod_was_scheduled() -> None:
    pods = [running("a"), running("b", since=NOW - timedelta(seconds=30)), make_pod("new", name="c", scheduled=False)]
    assert pod_record.news(workload(*pods), BEGAN, NOW).minutes == 2.5


@pytest.mark.parametrize(
    ("pod", "kills", "restarts", "failed_starts"),
    [
        pytest.param(ended(after=60, served=True), 0, 1, 0, id="a crash of one that served"),
        pytest.param(ended(after=60, served=True, reason="OOMKilled", code=137), 1, 0, 0, id="killed under load"),
        pytest.param(ended(after=60, served=True, code=137, reason=""), 1, 0, 0, id="killed, and nobody says why"),
        pytest.param(ended(after=60, served=True, code=137), 0, 1, 0, id="killed by its kubelet, after a probe"),
        pytest.param(
            ended(after=60, served=True, code=137, reason="ContainerStatusUnknown"), 0, 1, 0, id="lost with its node"
        ),
        pytest.param(ended(after=3), 0, 1, 1, id="a start that failed"),
        pytest.param(ended(after=3, restarts=1), 0, 2, 2, id="two starts that failed"),
        pytest.param(ended(after=3, reason="OOMKilled", code=137), 1, 0, 1, id="killed before it was ready"),
        pytest.param(running(restarts=2, last_exit_reason="Error", last_exit_at=NOW), 0, 2, 0, id="it serves again"),
        pytest.param(running(restarts=3, last_exit_reason="OOMKilled", last_exit_at=NOW), 3, 0, 0, id="after kills"),
    ],
)
def test_an_end_is_told_by_its_last_one(pod: Pod, kills: int, restarts: int, failed_starts: int) -> None:
    news = pod_record.news(workload(pod), BEGAN, NOW)
    assert (news.kills, news.restarts, news.failed_starts) == (kills, restarts, failed_starts)


def test_what_was_recorded_is_not_new() -> None:
    crashed = workload(ended(after=3, restarts=1))
    record = pod_record.carried_on(BEGAN, crashed, None, NOW)
    assert (record.exits, record.canary_failed_starts) == ({"a": 2}, 2)
    assert pod_record.news(crashed, record, NOW).restarts == 0
    again = workload(ended(after=3, restarts=2))
    assert pod_record.news(again, record, NOW).restarts == 1


def test_a_pod_that_is_told_to_end_was_not_killed_when_it_does() -> None:
    told = replace(ended(after=60, served=True, code=137), terminating=True)
    news = pod_record.news(workload(told), BEGAN, NOW)
    assert (news.kills, news.restarts, news.failed_starts) == (0, 0, 0)


def test_being_started_again_is_the_end_of_nothing() -> None:
    crashed, started = ended(after=3), running(restarts=1, last_exit_at=NOW)
    assert pod_record.exits_of(crashed) == pod_record.exits_of(started) == 1


def test_what_the_stable_revision_did_before_is_no_news_but_counts_as_its_past() -> None:
    stable = workload(running(restarts=2, last_exit_reason="OOMKilled", last_exit_at=HOUR_AGO))
    record = pod_record.begin(stable, NOW)
    assert pod_record.news(stable, record, NOW).kills == 0
    pods = pod_record.totals(record, workload(), stable, NOW)
    assert (pods.stable_kills, pods.stable_minutes, pods.canary_kills) == (2, 60.0, 0)


def hard_to_start(name: str, *, ran: float, gets_ready: float = 30) -> Pod:
    """A pod that serves, after three ends; the last run, of so many seconds, was before the one of now."""
    reached = Milestones(
        HOUR_AGO, scheduled=HOUR_AGO, running=HOUR_AGO, ready_changed=HOUR_AGO + timedelta(seconds=gets_ready)
    )
    last = {"last_exit_at": HOUR_AGO, "last_exit_code": 1, "last_run": timedelta(seconds=ran)}
    return make_pod("old", name=name, ready=True, restarts=3, milestones=reached, **last)


@pytest.mark.parametrize(
    ("ran", "failed"),
    [
        pytest.param(5, 9, id="over before it can have been ready"),
        pytest.param(600, 0, id="it served before it crashed"),
    ],
)
def test_starts_that_failed_count_also_of_stable_pods_that_got_ready(ran: float, failed: int) -> None:
    stable = workload(*(hard_to_start(name, ran=ran) for name in "abc"))
    canary = workload(ended(after=3, restarts=1))
    pods = pod_record.totals(BEGAN, canary, stable, NOW)
    assert (pods.canary_failed_starts, pods.stable_failed_starts) == (2, failed)
    assert fails_to_start(pods) == (failed == 0)


def test_stables_past_tells_starts_that_failed_from_ends_while_it_served() -> None:
    crashed = running("b", restarts=4, last_exit_reason="Error", last_exit_at=HOUR_AGO)
    stable = workload(running("a"), crashed, hard_to_start("c", ran=5), ended("d", after=3))
    pods = pod_record.totals(BEGAN, workload(), stable, NOW)
    assert (pods.stable_ends, pods.stable_failed_starts) == (4, 3 + 1)
    assert pods.stable_started == 4 + 3, "before each end while it served, and of each pod that is ready"


def test_what_the_canary_did_before_anybody_looked_is_new() -> None:
    canary = workload(ended(after=3, restarts=1))
    assert pod_record.totals(pod_record.begin(None, NOW), canary, None, NOW).canary_failed_starts == 2


def evicted(name: str = "e", *, at: datetime = NOW, resource: str = MEMORY, **fields: object) -> Pod:
    """A pod that served for an hour until its kubelet ended it for good."""
    began = at - timedelta(hours=1)
    reached = Milestones(began, scheduled=began, ready_changed=at)
    last = {"last_exit_at": at, "last_exit_code": 137, "last_run": timedelta(hours=1), "last_exit_reason": "Error"}
    return make_pod("new", name=name, milestones=reached, evicted=resource, **(last | fields))


def left_behind(*pods: Pod) -> Workload:
    return replace(workload(running()), evicted=pods)


@pytest.mark.parametrize(
    ("pod", "kills", "restarts", "failed_starts"),
    [
        pytest.param(evicted(), 1, 0, 0, id="for memory"),
        pytest.param(evicted(resource="other"), 0, 1, 0, id="for its disk"),
        pytest.param(evicted(resource="other", last_exit_reason="OOMKilled"), 0, 1, 0, id="a kill was before"),
        pytest.param(evicted(last_run=None, last_exit_reason=""), 1, 0, 0, id="of which the container is lost"),
        pytest.param(evicted(at=BEGAN.at - timedelta(minutes=1)), 1, 0, 0, id="by a kubelet whose clock is behind"),
        pytest.param(evicted(at=BEGAN.at - LATELY), 0, 0, 0, id="long before"),
    ],
)
def test_an_eviction_is_the_end_of_a_pod_whose_kubelet_makes_no_other(
    pod: Pod, kills: int, restarts: int, failed_starts: int
) -> None:
    news = pod_record.news(left_behind(pod), BEGAN, NOW)
    assert (news.kills, news.restarts, news.failed_starts) == (kills, restarts, failed_starts)


def test_an_eviction_counts_once_however_often_anybody_looks() -> None:
    record, evictions = pod_record.begin(None, NOW), []
    for minute in range(30):
        now = NOW + timedelta(minutes=minute)
        pods = left_behind(*(evicted(f"e-{n}", at=NOW + timedelta(minutes=n)) for n in range(minute)))
        evictions.append(pod_record.news(pods, record, now).kills)
        record = pod_record.carried_on(record, pods, None, now)
    assert evictions == [0] + [1] * 29
    assert record.canary_kills == 29
    assert len(record.exits) < LATELY / timedelta(minutes=1)


def test_those_evicted_in_an_hour_without_an_operator_all_count() -> None:
    pods = left_behind(*(evicted(f"e-{n}", at=NOW + timedelta(minutes=20 * n)) for n in range(4)))
    record = pod_record.carried_on(BEGAN, left_behind(evicted("e-0")), None, NOW)
    assert pod_record.news(pods, record, NOW + timedelta(hours=1)).kills == 3


def test_restarts_before_an_eviction_are_not_counted_again() -> None:
    before = workload(running("e", restarts=2, last_exit_reason="Error", last_exit_at=HOUR_AGO))
    record = pod_record.carried_on(BEGAN, before, None, NOW)
    assert pod_record.news(left_behind(evicted(restarts=2)), record, NOW + timedelta(minutes=1)).kills == 1


def test_a_record_that_is_full_hides_no_eviction() -> None:
    crowd = workload(*(ended(f"pod-{n:03}", after=3, restarts=n) for n in range(MOST_PODS + 10)))
    record = pod_record.begin(crowd, NOW)
    assert record.unnamed > 1
    assert pod_record.news(left_behind(evicted(at=NOW + timedelta(seconds=5))), record, NOW).kills == 1


def test_what_was_evicted_of_a_canary_before_it_is_tried_again_is_not_new() -> None:
    canary = left_behind(evicted(at=NOW - timedelta(minutes=1)))
    record = pod_record.begin(workload(), NOW, canary)
    assert pod_record.totals(record, canary, workload(), NOW).canary_kills == 0


def test_pods_of_stable_that_were_evicted_count_in_its_past_with_the_time_they_served() -> None:
    stable = left_behind(evicted("x", at=HOUR_AGO), evicted("y", at=HOUR_AGO, resource="other"))
    pods = pod_record.totals(BEGAN, workload(), stable, NOW)
    assert (pods.stable_kills, pods.stable_minutes) == (1, 3 * 60)


def test_the_minutes_of_a_pod_count_until_it_was_evicted() -> None:
    gone = replace(workload(), evicted=(evicted(at=NOW - timedelta(seconds=30)),))
    assert pod_record.news(gone, BEGAN, NOW).minutes == 1.5


def test_what_the_canary_did_stays_when_its_pods_are_gone() -> None:
    killed = workload(running(restarts=3, last_exit_reason="OOMKilled", last_exit_at=NOW))
    record = pod_record.carried_on(BEGAN, killed, None, NOW)
    assert pod_record.totals(record, workload(), None, NOW).canary_kills == 3


def test_both_sides_make_one_interval_of_two_signals() -> None:
    canary = pod_record.news(workload(ended(after=60, served=True, code=137, reason="OOMKilled")), BEGAN, NOW)
    stable = pod_record.news(workload(running("b"), running("c")), BEGAN, NOW)
    counts = pod_record.interval(canary, stable, start=BEGAN.at, end=NOW).counts
    assert counts == {KILLS: {PODS: Counts(2, 4, 1, 0)}, RESTARTS: {PODS: Counts(2, 4, 0, 0)}}


def test_the_record_is_bounded_and_keeps_those_that_ended_most_often() -> None:
    pods = [ended(f"pod-{n:03}", after=3, restarts=n) for n in range(MOST_PODS + 10)]
    record = pod_record.begin(workload(*pods), NOW)
    assert len(record.exits) == MOST_PODS
    assert min(record.exits.values()) == 11


def test_a_pod_that_the_full_record_does_not_name_counts_only_beyond_those_that_it_does() -> None:
    pods = [ended(f"pod-{n:03}", after=3, restarts=n) for n in range(MOST_PODS + 10)]
    record = pod_record.begin(workload(*pods), NOW)
    assert pod_record.news(workload(*pods), record, NOW).restarts == 0
    again = ended("pod-000", after=3, restarts=20)
    assert pod_record.news(workload(again, *pods[1:]), record, NOW).restarts == 10
