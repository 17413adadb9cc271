"""A canary while Prometheus is away: what was measured before is held, and takes it no further by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from builders import Cluster
from measured import Traffic, lose_prometheus, trial, watch

ENOUGH = Traffic(ok=40, slow=8)
"""No worse than stable within half a minute."""
FEW = Traffic(ok=0.2)


def phase(cluster: Cluster) -> str:
    return str(cluster.observed.owner.status["rollout"]["phase"])


def evidence(cluster: Cluster, name: str) -> str:
    return str(cluster.observed.owner.status["rollout"]["evidence"].get(name))


def lost(cluster: Cluster, minutes: float) -> list[str]:
    """The phases while Prometheus is away, until it ends."""
    phases = []
    for _ in range(round(6 * minutes)):
        lose_prometheus(cluster)
        phases.append(phase(cluster))
        if phases[-1] not in ("Analysing", "Paused"):
            break
    return phases


@pytest.mark.parametrize("no_data", ["Hold", "Rollback", "Promote"])
@pytest.mark.parametrize("steps", [[10], [10, 50]])
def test_without_prometheus_good_evidence_neither_promotes_nor_leads_to_the_next_step(
    steps: list[int], no_data: str
) -> None:
    cluster = trial(canary={"steps": steps, "maxPods": 3, "onNoData": no_data})
    watch(cluster, ENOUGH, ENOUGH, looks=4)
    assert evidence(cluster, "decision") == "Promote"
    assert set(lost(cluster, minutes=5)) == {"Analysing"}
    for _ in range(12):
        watch(cluster, ENOUGH, ENOUGH)
        if phase(cluster) != "Analysing":
            break
    assert phase(cluster) == ("Promoting" if len(steps) == 1 else "Surging"), "it goes on when Prometheus is back"


@pytest.mark.parametrize(
    ("no_data", "ends"), [("Hold", "Analysing"), ("Rollback", "RollingBack"), ("Promote", "Promoting")]
)
@pytest.mark.parametrize("inconclusive", ["Pause", "Promote", "Rollback"])
def test_good_evidence_without_prometheus_when_time_is_up(no_data: str, ends: str, inconclusive: str) -> None:
    settings = {"maxDuration": "5m", "onNoData": no_data, "onInconclusive": inconclusive}
    cluster = trial(canary={"steps": [10], **settings})
    watch(cluster, ENOUGH, ENOUGH, looks=4)
    assert lost(cluster, minutes=10)[-1] == ends


def test_a_canary_that_alone_is_not_measured_is_not_promoted_for_want_of_data() -> None:
    cluster = trial(canary={"steps": [10], "maxDuration": "5m", "onNoData": "Promote"})
    phases: list[str] = []
    while len(phases) < 300 and (not phases or phases[-1] in ("Surging", "Analysing")):
        watch(cluster, None, ENOUGH)
        phases.append(phase(cluster))
    assert set(phases) <= {"Surging", "Analysing", "RollingBack", "RolledBack"}
    assert phases[-1] in ("RollingBack", "RolledBack")
    assert "had no metrics for 1400 s" in cluster.observed.owner.status["rollout"]["message"]


def test_why_good_evidence_is_held_is_told() -> None:
    cluster = trial(canary={"steps": [10]})
    watch(cluster, ENOUGH, ENOUGH, looks=4)
    lost(cluster, minutes=1)
    assert (evidence(cluster, "decision"), evidence(cluster, "reason")) == ("Undecided", "NoMetrics")
    assert "no promotion yet, though what was measured is no worse: Prometheus at" in evidence(cluster, "message")


def test_time_without_prometheus_is_none_of_a_step() -> None:
    cluster = trial(canary={"steps": [10]})
    watch(cluster, ENOUGH, ENOUGH, looks=4)
    lost(cluster, minutes=10)
    watch(cluster, ENOUGH, ENOUGH)
    assert phase(cluster) == "Analysing", "the step has had no more than half of its six intervals with data"


def paused(cluster: Cluster, *, is_paused: bool) -> None:
    spec = cluster.observed.owner.spec
    cluster.change({**spec, "rollout": {**spec["rollout"], "paused": is_paused}})


@pytest.mark.parametrize("pause", [False, True], ids=["without a pause", "in a pause"])
def test_a_pause_without_prometheus_is_taken_off_once(pause: bool) -> None:
    cluster = trial(canary={"steps": [10], "maxDuration": "10m"})
    began = cluster.now
    watch(cluster, FEW, FEW, looks=12)
    paused(cluster, is_paused=pause)
    lost(cluster, minutes=20)
    paused(cluster, is_paused=False)
    for _ in range(100):
        if phase(cluster) not in ("Analysing", "Paused"):
            break
        watch(cluster, FEW, FEW)
    assert abs(cluster.now - began - timedelta(minutes=30)) <= timedelta(minutes=1)
