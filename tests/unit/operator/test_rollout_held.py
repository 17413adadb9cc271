"""Rollouts that may not move, paused by the spec or frozen by the installation. What serves is looked after as ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders import POLICY, Cluster
from plimsoll_operator.observed import Manifest
from plimsoll_operator.reconcile import Policy
from rollouts import autoscaled, autoscaled_spec_of, autoscaler_of, condition, delete, settled, spec_of

FROZEN = Policy("plimsoll/server:1", frozen=True)


@pytest.mark.parametrize(
    ("rollout", "policy", "reason"),
    [
        pytest.param({"paused": True}, POLICY, "Paused", id="paused by the spec"),
        pytest.param({}, Policy("plimsoll/server:1", frozen=True), "Frozen", id="frozen by the installation"),
    ],
)
def test_a_held_rollout_starts_no_pod_and_says_why(rollout: dict[str, Any], policy: Policy, reason: str) -> None:
    cluster = settled(replicas=2, gpus=4)
    before = cluster.observed.workloads
    cluster.change(spec_of(2, 2, **rollout))
    cluster.reconcile(policy)
    assert cluster.observed.workloads == before
    ready = condition(cluster.observed, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", reason)
    assert condition(cluster.observed, "Available")["status"] == "True"


def test_a_frozen_installation_still_starts_a_first_revision() -> None:
    cluster = Cluster(spec_of(1, 1))
    cluster.reconcile(Policy("plimsoll/server:1", frozen=True))
    assert len(cluster.observed.workloads) == 1


def held(replicas: int, strategy: str = "RollingUpdate") -> Cluster:
    """Version 1 serves, version 2 waits."""
    cluster = settled(replicas, gpus=10, strategy=strategy)
    cluster.change(spec_of(2, replicas, strategy, paused=True))
    cluster.settle()
    return cluster


def test_a_serving_deployment_deleted_while_a_rollout_is_held_comes_back() -> None:
    cluster = held(replicas=3)
    before = set(cluster.observed.workloads)
    delete(cluster, "Deployment")
    cluster.settle()
    assert (set(cluster.observed.workloads), cluster.observed.ready) == (before, 3)


def test_the_number_of_pods_follows_the_spec_while_a_rollout_is_held() -> None:
    cluster = held(replicas=1)
    cluster.change(spec_of(2, 4, paused=True))
    cluster.settle()
    assert cluster.observed.ready == 4


def test_a_recreate_held_before_its_new_pods_started_serves_again() -> None:
    cluster = autoscaled(4, strategy="Recreate")
    before = set(cluster.observed.workloads)
    cluster.change(autoscaled_spec_of(2, "Recreate"))
    while cluster.observed.replicas:
        cluster.reconcile()
    cluster.policy = FROZEN
    cluster.settle()
    assert (set(cluster.observed.workloads), cluster.observed.ready) == (before, 4)


def test_the_time_of_a_pause_does_not_count_towards_the_deadline() -> None:
    cluster = held(replicas=1)
    cluster.now += timedelta(days=1)
    cluster.broken = {"pvc://models/v2"}
    cluster.change(spec_of(2, 1, progressDeadline="10m"))
    cluster.settle()
    assert condition(cluster.observed, "Stalled")["status"] == "False"
    cluster.now += timedelta(minutes=10)
    cluster.settle()
    assert condition(cluster.observed, "Stalled")["reason"] == "ProgressDeadlineExceeded"


def test_a_rollout_leads_to_as_many_pods_as_served_when_its_pause_ended() -> None:
    cluster = autoscaled(1)
    cluster.change(autoscaled_spec_of(2, paused=True))
    cluster.settle()
    cluster.demand = 5
    cluster.settle()
    assert cluster.observed.ready == 5
    cluster.demand = None
    cluster.change(autoscaled_spec_of(2))
    states = cluster.settle()
    assert min(state.ready for state in states) == 5


def test_a_pause_in_the_middle_keeps_the_pods_that_the_rollout_leads_to() -> None:
    cluster = autoscaled(4)
    cluster.demand = None
    cluster.change(autoscaled_spec_of(2))
    while cluster.observed.ready < 5:
        cluster.reconcile()
    cluster.change(autoscaled_spec_of(2, paused=True))
    cluster.settle()
    cluster.change(autoscaled_spec_of(2))
    states = cluster.settle()
    assert min(state.ready for state in states) >= 4


def test_a_change_that_is_held_does_not_let_the_autoscaler_shrink_a_revision_that_has_just_taken_over() -> None:
    cluster = autoscaled(2)
    cluster.change(autoscaled_spec_of(2))
    cluster.settle()
    cluster.change(autoscaled_spec_of(3, paused=True))
    cluster.settle()
    assert autoscaler_of(cluster.observed)["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"


def test_a_rollout_is_announced_when_it_starts_and_not_while_it_is_held() -> None:
    cluster = settled(replicas=1, gpus=2)
    cluster.change(spec_of(2, 1, paused=True))
    assert "RolloutStarted" not in [event.reason for event in cluster.reconcile().events]
    cluster.change(spec_of(2, 1))
    assert "RolloutStarted" in [event.reason for event in cluster.reconcile().events]
    assert "RolloutStarted" not in [event.reason for event in cluster.reconcile().events]


def test_a_stable_label_removed_by_hand_lets_no_held_rollout_go() -> None:
    cluster = held(replicas=1)
    [serving] = cluster.observed.workloads
    cluster.store({key: without_labels(live) for key, live in cluster.observed.children.items()})
    cluster.settle()
    assert set(cluster.observed.workloads) == {serving}
    assert cluster.observed.owner.status["rollout"]["stable"] == serving


def without_labels(live: Manifest) -> Manifest:
    return {**live, "metadata": {**live["metadata"], "labels": {}}}
