"""The trouble of the pods that serve is told as theirs, whatever else is asked for at the time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import Cluster
from rollouts import condition, look, settled, spec_of

CRASH = {"ready": False, "waiting_reason": "CrashLoopBackOff", "restarts": 9, "last_exit_code": 1}


def fall_ill(cluster: Cluster, revision: str, **fields: Any) -> None:
    """Every pod of the revision, which is looked at as it is now: nothing moves."""
    workload = cluster.observed.workloads[revision]
    pods = tuple(replace(pod, **fields) for pod in workload.pods)
    workloads = {**cluster.observed.workloads, revision: replace(workload, pods=pods)}
    cluster.observed = replace(cluster.observed, workloads=workloads)


def sums(cluster: Cluster) -> dict[str, tuple[str, str]]:
    kinds = ("Available", "Ready", "Reconciling", "Stalled")
    return {kind: (found["status"], found["reason"]) for kind in kinds if (found := condition(cluster.observed, kind))}


CRASHING = {
    "Available": ("False", "CrashLoop"),
    "Ready": ("False", "CrashLoop"),
    "Reconciling": ("True", "CrashLoop"),
    "Stalled": ("False", "NotStalled"),
}


def test_the_pods_that_serve_crash_while_a_change_is_held() -> None:
    cluster = settled(1, gpus=4)
    [serving] = cluster.observed.workloads
    cluster.change(spec_of(2, 1, paused=True))
    cluster.settle()
    fall_ill(cluster, serving, **CRASH)
    events = look(cluster).events
    assert sums(cluster) == CRASHING
    assert serving in condition(cluster.observed, "Ready")["message"]
    assert [event.reason for event in events] == ["CrashLoop"]


def test_the_pods_that_serve_crash_while_their_successor_has_no_gpu() -> None:
    cluster = settled(1, gpus=1)
    [serving] = cluster.observed.workloads
    cluster.change(spec_of(2, 1))
    cluster.settle()
    fall_ill(cluster, serving, **CRASH)
    look(cluster)
    assert sums(cluster) == CRASHING
    assert serving in condition(cluster.observed, "Available")["message"]


def test_a_change_that_cannot_be_made_is_not_why_the_pods_that_serve_do_not() -> None:
    cluster = settled(1, gpus=1)
    [serving] = cluster.observed.workloads
    cluster.observed = replace(cluster.observed, claim_found=False)
    cluster.change(spec_of(2, 1))
    fall_ill(cluster, serving, **CRASH)
    look(cluster)
    assert sums(cluster)["Available"] == ("False", "CrashLoop")
    assert sums(cluster)["Stalled"] == ("True", "ClaimNotFound")


@pytest.mark.parametrize("lacks", [{"ready": False}, {"ready": False, "restarts": 0}])
def test_of_pods_that_only_start_anew_a_held_change_is_told_as_held(lacks: dict[str, Any]) -> None:
    cluster = settled(1, gpus=4)
    [serving] = cluster.observed.workloads
    cluster.change(spec_of(2, 1, paused=True))
    cluster.settle()
    fall_ill(cluster, serving, **lacks)
    look(cluster)
    assert (sums(cluster)["Available"], sums(cluster)["Ready"]) == (("False", "NoPodReady"), ("False", "Paused"))


def test_what_a_crashing_successor_lacks_is_told_by_ready_alone() -> None:
    cluster = settled(1, gpus=4)
    [serving] = cluster.observed.workloads
    cluster.change(spec_of(2, 1))
    cluster.broken = {"pvc://models/v2"}
    cluster.settle()
    [successor] = cluster.observed.workloads.keys() - {serving}
    fall_ill(cluster, successor, **CRASH)
    fall_ill(cluster, serving, ready=False)
    look(cluster)
    assert sums(cluster)["Available"] == ("False", "NoPodReady")
    assert successor in condition(cluster.observed, "Ready")["message"]
