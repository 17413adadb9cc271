"""An operator that is killed, or away, between any two reconciles comes to the verdict that it would have come to."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import Cluster
from drawn_examples import examples
from measured import Traffic, look_at, lose_prometheus, trial, watch
from plimsoll_operator.observed import Pod
from plimsoll_operator.reconcile import reconcile

LOOKS = 8
FATES = st.lists(st.sampled_from(["lives", "is killed before it writes", "is away"]), min_size=LOOKS, max_size=LOOKS)


def evidence(cluster: Cluster) -> dict[str, Any]:
    return dict(cluster.observed.owner.status["rollout"]["evidence"])


@cache
def begun() -> Cluster:
    return trial()


@cache
def steadily_judged(canary: Traffic, stable: Traffic) -> dict[str, Any]:
    return judged(["lives"] * LOOKS, canary, stable)


def judged(fates: list[str], canary: Traffic, stable: Traffic) -> dict[str, Any]:
    """The evidence after so many moments, at each of which the operator has its fate, and one at which it lives."""
    cluster = copy.copy(begun())
    for fate in fates:
        if fate == "lives":
            watch(cluster, canary, stable)
            if is_taken_back(cluster):
                break
            continue
        cluster.now += timedelta(seconds=10)
        look_at(cluster, canary, stable)
        if fate == "is killed before it writes":
            reconcile(cluster.observed, cluster.policy, cluster.now)
    if not is_taken_back(cluster):
        watch(cluster, canary, stable)
    return evidence(cluster)


def is_taken_back(cluster: Cluster) -> bool:
    return bool(cluster.observed.owner.status["rollout"]["phase"] == "RollingBack")


@given(fates=FATES, failed=st.sampled_from([0.0, 0.2, 0.5, 2.0]), slow=st.sampled_from([0.0, 1.0, 5.0]))
@examples(15)
def test_the_verdict_does_not_depend_on_who_was_killed_when(fates: list[str], failed: float, slow: float) -> None:
    canary, stable = Traffic(failed=failed, slow=slow), Traffic(failed=0.1, slow=0.5)
    steady = steadily_judged(canary, stable)
    resumed = judged(fates, canary, stable)
    for name in ("decision", "signal", "reason", "requests", "until"):
        assert resumed.get(name) == steady.get(name), name
    assert of_requests(resumed) == of_requests(steady)


def of_requests(found: dict[str, Any]) -> list[Any]:
    """The state of every series but the pods', whose intervals end when somebody looks."""
    return [one for one in found["series"] if (one["signal"], one["part"]) not in (("oom", "kills"), ("restarts", ""))]


def test_a_lost_status_begins_the_analysis_again() -> None:
    cluster = trial()
    watch(cluster, Traffic(), Traffic(), looks=5)
    owner = cluster.observed.owner
    cluster.observed = replace(cluster.observed, owner=replace(owner, status={}))
    watch(cluster, Traffic(), Traffic())
    assert evidence(cluster)["since"] == cluster.now.isoformat()
    assert evidence(cluster)["requests"] == 0


@pytest.mark.parametrize(
    "damaged",
    [{"series": [{"signal": "errors", "part": "", "state": "1 2"}]}, {"pods": {}}, {"until": "yesterday"}],
    ids=["a state of another release", "no pods", "no time"],
)
def test_evidence_that_cannot_be_read_begins_again(damaged: dict[str, Any]) -> None:
    cluster = trial()
    watch(cluster, Traffic(), Traffic(), looks=5)
    owner = cluster.observed.owner
    rollout = {**owner.status["rollout"], "evidence": {**evidence(cluster), **damaged}}
    cluster.observed = replace(
        cluster.observed, owner=replace(owner, status={**owner.status, "rollout": rollout}), measurements=None
    )
    plan = reconcile(cluster.observed, cluster.policy, cluster.now)
    assert plan.status is not None
    assert plan.status["rollout"]["evidence"]["requests"] == 0


def test_another_canary_is_judged_by_nothing_of_the_last_one() -> None:
    cluster = trial()
    watch(cluster, Traffic(failed=5), Traffic(), looks=2)
    spec = {**cluster.observed.owner.spec, "model": {"uri": "pvc://models/v3"}}
    cluster.change(spec)
    for _ in range(3):
        cluster.reconcile()
    told = cluster.observed.owner.status["rollout"]
    assert told["evidence"]["canary"] == told["canary"]
    assert told["evidence"]["requests"] == 0
    assert "history" not in told


@pytest.mark.parametrize("phase", ["RollingBack", "RolledBack"])
def test_a_canary_that_is_tried_again_is_judged_anew(phase: str) -> None:
    cluster = trial()
    for _ in range(12):
        if cluster.observed.owner.status["rollout"]["phase"] == phase:
            break
        look_at(cluster, Traffic(failed=10), Traffic())
        cluster.reconcile()
    rollout = cluster.observed.owner.status["rollout"]
    assert (rollout["phase"], rollout["evidence"]["decision"]) == (phase, "Rollback")
    cluster.observed = replace(cluster.observed, measurements=None)
    cluster.request("retry#1")
    for _ in range(4):
        cluster.reconcile()
    rollout = cluster.observed.owner.status["rollout"]
    assert rollout["phase"] == "Analysing"
    assert rollout["evidence"]["decision"] == "Undecided"


def test_status_is_written_once_for_each_moment() -> None:
    cluster = trial()
    watch(cluster, Traffic(), Traffic(), looks=3)
    for second in range(9):
        cluster.now += timedelta(seconds=1)
        cluster.observed = replace(cluster.observed, measurements=None)
        plan = reconcile(cluster.observed, cluster.policy, cluster.now)
        assert plan.status is None, second


def test_the_next_look_is_asked_for_right_after_the_next_moment() -> None:
    cluster = trial()
    watch(cluster, Traffic(), Traffic(), looks=3)
    plan = reconcile(cluster.observed, cluster.policy, cluster.now)
    assert plan.requeue_after is not None
    assert timedelta(0) < plan.requeue_after <= timedelta(seconds=12)


ENDS = [
    pytest.param(
        2, {"ready": False, "milestones": None, "last_exit_reason": "Error"}, "FailsToStart", id="failed starts"
    ),
    pytest.param(3, {"last_exit_reason": "OOMKilled"}, "OOMKilled", id="kills for memory"),
]


@pytest.mark.parametrize(("times", "fields", "reason"), ENDS)
def test_how_the_canarys_pods_end_is_judged_without_prometheus(times: int, fields: dict[str, Any], reason: str) -> None:
    cluster = trial()
    canary = cluster.observed.owner.status["rollout"]["canary"]
    cluster.pods = [pod if pod.revision == canary else of_the_day_before(pod) for pod in cluster.pods]
    for count in range(1, times + 1):
        ended = {"restarts": count, "last_exit_at": cluster.now, **fields}
        cluster.pods = [replace(pod, **ended) if pod.revision == canary else pod for pod in cluster.pods]
        cluster.store(cluster.observed.children)
        lose_prometheus(cluster)
    assert (evidence(cluster)["decision"], evidence(cluster)["reason"]) == ("Rollback", reason)


def of_the_day_before(pod: Pod) -> Pod:
    assert pod.milestones
    since = pod.milestones.created - timedelta(days=1)
    return replace(pod, milestones=replace(pod.milestones, created=since, scheduled=since, ready_changed=since))
