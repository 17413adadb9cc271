"""A scale-up that gets nothing: told once it has lasted for longer than an ordinary one lacks anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import Cluster, make_pod, make_pods, make_spec, make_workload
from plimsoll_operator.fully_scaled import GRACE
from plimsoll_operator.observed import Pod
from rollouts import at_rest, condition, look, spec_of


def told(cluster: Cluster, kind: str = "FullyScaled") -> tuple[str, str]:
    found = condition(cluster.observed, kind)
    return found["status"], found["reason"]


def scaled_up(refusal: str = "", **pod: Any) -> Cluster:
    """One pod serves, the autoscaler asks for three, and the other two are like this; or there are none of them."""
    cluster = at_rest()
    [revision] = cluster.observed.workloads
    others = [] if refusal else [make_pod(revision, name=f"new-{number}", **pod) for number in (1, 2)]
    give(cluster, 3, *others, refusal=refusal)
    return cluster


def give(cluster: Cluster, asked_for: int, *others: Pod, refusal: str = "") -> None:
    [(revision, before)] = cluster.observed.workloads.items()
    workload = make_workload(revision, asked_for, *make_pods(revision, 1, *others))
    workload = replace(workload, name=before.name, replica_failure=refusal)
    cluster.observed = replace(cluster.observed, workloads={revision: workload})


LACKS = [
    pytest.param({"refusal": "exceeded quota: tight"}, "PodsRefused", id="a quota refuses the pods"),
    pytest.param({"scheduled": False, "unschedulable": "Insufficient nvidia.com/gpu"}, "Unschedulable", id="no GPU"),
    pytest.param({"restarts": 3, "last_exit_code": 1}, "CrashLoop", id="they crash"),
    pytest.param({"waiting_reason": "ErrImagePull"}, "ImagePullFailed", id="no image"),
]


@pytest.mark.parametrize(("fields", "reason"), LACKS)
def test_what_the_pods_of_a_scale_up_lack_is_told_once_after_a_grace(fields: dict[str, Any], reason: str) -> None:
    cluster = scaled_up(**fields)
    plan = look(cluster)
    assert (told(cluster), plan.events, plan.requeue_after) == (("Unknown", "ScalingUp"), (), GRACE)
    plan = look(cluster, GRACE)
    assert told(cluster) == ("False", reason)
    assert [(event.type, event.reason) for event in plan.events] == [("Warning", reason)]
    assert "1 of 3 pods" in condition(cluster.observed, "FullyScaled")["message"]
    assert look(cluster, GRACE + timedelta(seconds=5)).writes == 0
    assert [told(cluster, kind) for kind in ("Available", "Ready", "Reconciling", "Stalled")] == [
        ("True", "Serving"),
        ("True", "Serving"),
        ("False", "AtRest"),
        ("False", "NotStalled"),
    ]


def test_pods_that_only_start_are_no_lack_however_long_it_takes() -> None:
    cluster = scaled_up()
    for minutes in range(0, 20, 5):
        plan = look(cluster, timedelta(minutes=minutes))
        assert (told(cluster), plan.events) == (("Unknown", "ScalingUp"), ())


def test_a_lack_that_passes_within_the_grace_is_not_told() -> None:
    cluster = scaled_up(scheduled=False, unschedulable="Insufficient nvidia.com/gpu")
    look(cluster)
    give(cluster, 3, make_pod("any", name="new-1"), make_pod("any", name="new-2"))
    look(cluster, GRACE)
    assert told(cluster) == ("Unknown", "ScalingUp")


def test_all_is_as_asked_again_when_fewer_are_asked_for() -> None:
    cluster = scaled_up(refusal="exceeded quota: tight")
    look(cluster)
    look(cluster, GRACE)
    give(cluster, 1)
    assert look(cluster, 2 * GRACE).events == ()
    assert told(cluster) == ("True", "AsAsked")


def test_a_lack_that_ready_tells_already_is_not_told_twice() -> None:
    cluster = at_rest(spec_of(1, 1))
    cluster.change(spec_of(1, 3))
    give(cluster, 3, refusal="exceeded quota: tight")
    told_first = look(cluster).events
    told_later = look(cluster, GRACE).events
    assert ([event.reason for event in told_first], told_later) == (["PodsRefused"], ())
    assert (told(cluster), told(cluster, "Ready")) == (("False", "PodsRefused"), ("False", "PodsRefused"))


def test_a_rollout_tells_of_its_pods_by_ready_and_a_scale_up_after_it_has_its_own_grace() -> None:
    cluster = at_rest()
    cluster.change(make_spec(model={"uri": "pvc://models/v2"}))
    cluster.reconcile()
    assert told(cluster) == ("Unknown", "NotAtRest")
    cluster.pass_time(GRACE.total_seconds() * 2)
    while told(cluster)[1] == "NotAtRest":
        cluster.reconcile()
    [revision] = cluster.observed.workloads
    give(cluster, 3, refusal="exceeded quota: tight")
    look(cluster)
    assert told(cluster) == ("Unknown", "ScalingUp")
    assert revision


def test_what_serves_is_looked_after_while_a_change_is_held() -> None:
    cluster = at_rest()
    cluster.change(make_spec(model={"uri": "pvc://models/v2"}, rollout={"paused": True}))
    give(cluster, 3, refusal="exceeded quota: tight")
    look(cluster)
    events = look(cluster, GRACE).events
    assert (told(cluster), told(cluster, "Ready")) == (("False", "PodsRefused"), ("False", "Paused"))
    assert [event.reason for event in events] == ["PodsRefused"]
