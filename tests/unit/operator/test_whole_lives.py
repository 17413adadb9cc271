"""What belongs together is counted of the same lives: kills and minutes of all the canary's pods, whatever took one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import NOW, make_pod, make_workload
from measured import Traffic, trial, watch
from plimsoll_operator.observed import Milestones, Workload
from plimsoll_operator.rollout.evidence import BATCHES, Evidence, Meanwhile
from plimsoll_operator.rollout.evidence.series import Series
from plimsoll_operator.rollout.measuring.pod_record import KILLS, RESTARTS, PodRecord
from plimsoll_operator.rollout.measuring.whole_lives import whole_lives

SEEN = {
    KILLS: Series(canary=30, stable=90, canary_bad=3, stable_bad=2),
    RESTARTS: Series(canary=30, stable=90, canary_bad=5, stable_bad=1),
    BATCHES: Series(canary=250, stable=900, stable_bad=4),
}
EVIDENCE = replace(Evidence.fresh("new", NOW - timedelta(minutes=30)), series=SEEN)
RECORD = PodRecord(
    NOW, canary_kills=3, canary_failed_starts=2, canary_batches=200, stable_batches=7000, stable_seconds=5400
)


def pods_since(hours: float, count: int = 1) -> Workload:
    began = NOW - timedelta(hours=hours)
    reached = Milestones(began, scheduled=began, running=began, started=True, ready_changed=began)
    return make_workload("new", count, *(make_pod("new", name=str(n), milestones=reached) for n in range(count)))


@pytest.mark.parametrize(
    ("canary_hours", "after", "expected"),
    [
        pytest.param(0.5, 0, 30, id="the same pod all the time"),
        pytest.param(0.5, 2, 32, id="since the last look"),
        pytest.param(0, 0, 30, id="a pod that took another's place"),
        pytest.param(0, 1, 31, id="and has run for a minute"),
        pytest.param(0.5, -60, 30, id="a clock that was set back"),
        pytest.param(2, 0, 120, id="a pod from before the record"),
    ],
)
def test_the_canarys_minutes_are_those_of_all_its_pods(canary_hours: float, after: float, expected: float) -> None:
    now = NOW + timedelta(minutes=after)
    seen = whole_lives(EVIDENCE, RECORD, pods_since(canary_hours), pods_since(24, 3), now)
    assert seen.canary_kills == 3
    assert seen.canary_minutes == pytest.approx(expected)


def test_stable_is_told_of_its_whole_life_and_of_the_canarys_time() -> None:
    seen = whole_lives(EVIDENCE, RECORD, pods_since(0.5), pods_since(24, 3), NOW + timedelta(minutes=1))
    assert (seen.stable_minutes, seen.stable_batches) == (3 * 1441, 7000)
    assert seen.meanwhile == Meanwhile(kills=2, minutes=93, shortages=4, batches=900, measured_minutes=90, ends=1)
    assert seen.canary_batches == 250


def test_ends_while_the_canary_served_are_told_from_starts_that_failed() -> None:
    seen = whole_lives(EVIDENCE, RECORD, pods_since(0.5), pods_since(24, 3), NOW)
    assert (seen.canary_ends, seen.canary_failed_starts) == (3, 2)
    assert seen.canary_started == 1 + 3


@pytest.mark.parametrize(
    ("stable", "expected"),
    [
        pytest.param(None, "Analysing", id="stable is not measured"),
        pytest.param(Traffic(ok=1.5, out_of_memory=1 / 60), "Analysing", id="stable runs out as often"),
        pytest.param(Traffic(ok=1.5, up=NOW - timedelta(days=3)), "RollingBack", id="stable never did"),
    ],
)
def test_shortages_take_a_canary_back_only_beside_what_was_measured(stable: Traffic | None, expected: str) -> None:
    cluster = trial(canary={"steps": [10]})
    began = cluster.now
    canary = Traffic(ok=1.5, out_of_memory=1 / 60, up=began)
    for _ in range(30):
        watch(cluster, canary, stable)
        phase = cluster.observed.owner.status["rollout"]["phase"]
        if phase != "Analysing":
            break
    assert phase == expected, cluster.observed.owner.status["rollout"]["message"]
