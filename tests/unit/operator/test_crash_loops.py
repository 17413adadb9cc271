"""Canaries that end again and again after they served, look by look: the kubelet waits longer after each end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from builders import NOW, make_pod, make_workload
from plimsoll_operator.observed import Milestones, Pod, Workload
from plimsoll_operator.rollout.evidence import AnalysisSettings
from plimsoll_operator.rollout.measuring.analysis import Analysis, Pair, carried_on

SETTINGS = AnalysisSettings()
LOADS, SERVES, BACK_OFF, LONGEST = 20, 30, 10, 300
CanaryAt = Callable[[int], Workload]


def seconds(number: int) -> timedelta:
    return timedelta(seconds=number)


def serving(pods: int, age: timedelta) -> Workload:
    began = NOW - age
    reached = Milestones(began, scheduled=began, running=began, started=True, ready_changed=began)
    return make_workload(
        "old", pods, *(make_pod("old", name=f"s-{n}", ready=True, milestones=reached) for n in range(pods))
    )


def crashing(at: int) -> Workload:
    """The canary so many seconds after its begin: it loads, serves, crashes, and starts again after the back-off."""
    start, wait, restarts, last = 0, BACK_OFF, 0, Milestones(NOW, NOW)
    ended: dict[str, object] = {}
    while start + LOADS + SERVES <= at:
        end = NOW + seconds(start + LOADS + SERVES)
        ended = {"last_exit_at": end, "last_run": seconds(LOADS + SERVES), "last_exit_reason": "Error"}
        last = Milestones(NOW, scheduled=NOW, ready_changed=end)
        start, wait = start + LOADS + SERVES + wait, min(LONGEST, 2 * wait)
        restarts += start <= at
    ready = at >= start + LOADS
    if at >= start:
        changed = NOW + seconds(start + LOADS) if ready else last.ready_changed
        last = Milestones(NOW, NOW, running=NOW + seconds(start), started=ready, ready_changed=changed)
    return make_workload("new", 1, make_pod("new", ready=ready, restarts=restarts, milestones=last, **ended))


def evicted(at: int) -> Workload:
    """Each pod serves for 70 s, is evicted for its disk, and another one takes its place."""

    def pod(number: int) -> Pod:
        began, end = NOW + seconds(90 * number), NOW + seconds(90 * number + 90)
        reached = Milestones(began, scheduled=began, ready_changed=end)
        last = {"last_exit_at": end, "last_run": seconds(90), "last_exit_code": 137, "evicted": "other"}
        return make_pod("new", name=f"c-{number}", milestones=reached, **last)

    born = NOW + seconds(at - at % 90)
    now = make_pod("new", name=f"c-{at // 90}", milestones=Milestones(born, scheduled=born, ready_changed=born))
    return Workload("domains-new", "new", 1, (now,), evicted=tuple(pod(n) for n in range(at // 90)))


def verdict_on(canary: CanaryAt, stable: Workload) -> tuple[int, str]:
    """After how many seconds it is taken back within half an hour, and why."""
    analysis = Analysis.fresh("new", "old", Pair(canary(0), stable), NOW)
    for at in range(10, 1801, 10):
        pair, now = Pair(canary(at), stable), NOW + seconds(at)
        analysis = carried_on(analysis, None, pair, SETTINGS, now)
        verdict = analysis.verdict(pair, SETTINGS, now)
        if verdict.decision == "Rollback":
            return at, verdict.message
    return 1800, ""


@pytest.mark.parametrize("pods", [1, 2, 4, 9])
@pytest.mark.parametrize(("canary", "at"), [(crashing, 180), (evicted, 270)], ids=["crashes", "is evicted"])
def test_a_canary_that_does_not_last_is_taken_back_at_its_third_end(pods: int, canary: CanaryAt, at: int) -> None:
    month = timedelta(days=30)
    minutes = round(pods * (month + seconds(at)) / timedelta(minutes=1))
    found, message = verdict_on(canary, serving(pods, month))
    assert found == at
    assert message == (
        f"ended while it served: 3 times in {at / 60:g} canary pod-minutes against none in {minutes:,} on stable"
    )


def test_beside_a_stable_pod_that_is_as_young_more_is_needed() -> None:
    assert verdict_on(crashing, serving(1, timedelta(minutes=1)))[0] > 600
