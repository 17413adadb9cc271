"""The autoscaler through a rollout: which Deployment it works on, and when it may shrink it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

import canaries
from builders import NOW, POLICY, make_observed
from plimsoll_operator.observed import Manifest, ObjectKey, Observed
from plimsoll_operator.plan import Plan
from plimsoll_operator.reconcile import reconcile
from rollouts import autoscaled, autoscaled_spec_of, autoscaler_of, delete, version_of


def target_of(state: Observed) -> str:
    return version_of(state, autoscaler_of(state)["spec"]["scaleTargetRef"]["name"])


def may_shrink(state: Observed) -> bool:
    return bool(autoscaler_of(state)["spec"]["behavior"]["scaleDown"]["selectPolicy"] != "Disabled")


def test_it_moves_to_the_new_revision_with_its_first_ready_pod() -> None:
    cluster = autoscaled(2)
    cluster.change(autoscaled_spec_of(2))
    for state in cluster.settle():
        new = next((w for w in state.workloads.values() if version_of(state, w.name) == "v2"), None)
        if new is None or not new.ready:
            assert target_of(state) == "v1"
    assert target_of(cluster.observed) == "v2"


def test_a_revision_that_never_gets_ready_does_not_keep_the_serving_one_from_growing() -> None:
    cluster = autoscaled(2)
    cluster.broken = {"pvc://models/v2"}
    cluster.change(autoscaled_spec_of(2))
    cluster.settle()
    cluster.demand = 6
    cluster.settle()
    assert cluster.observed.ready == 6


def test_what_it_asked_for_during_a_rollout_is_kept_by_the_new_revision() -> None:
    cluster = autoscaled(2)
    cluster.broken = {"pvc://models/v2"}
    cluster.change(autoscaled_spec_of(2))
    cluster.settle()
    cluster.demand = 6
    cluster.settle()
    cluster.demand, cluster.broken = None, set()
    states = cluster.settle()
    assert min(state.ready for state in states) == 6
    assert target_of(cluster.observed) == "v2"


@pytest.mark.parametrize("gpus", [3, 5])
def test_it_may_not_shrink_from_the_start_of_a_rollout_until_one_window_after_its_end(gpus: int) -> None:
    cluster = autoscaled(3, gpus)
    cluster.now += timedelta(hours=1)
    cluster.settle()
    assert may_shrink(cluster.observed)
    cluster.change(autoscaled_spec_of(2))
    states = cluster.settle()
    began = next(n for n, state in enumerate(states) if len(state.workloads) > 1)
    assert not any(may_shrink(state) for state in states[began:])
    cluster.now += timedelta(minutes=5)
    cluster.settle()
    assert may_shrink(cluster.observed)


def gone_back_to_what_starts_no_more(strategy: str) -> canaries.Trials:
    """Version 2 of three pods has taken version 1's place, and somebody goes back to that, which gets no pod ready."""
    trials = canaries.changed(canaries.autoscaled(3, strategy=strategy))
    trials.decision = "Promote"
    canaries.look(trials, 3)
    trials.until(lambda trials: trials.rollout["phase"] == "Idle" and trials.of(1) is None)
    trials.decision, trials.broken = "Undecided", {"pvc://models/v1"}
    trials.request("rollback#1")
    trials.until(lambda trials: trials.of(1) is not None)
    return trials


@pytest.mark.parametrize("strategy", ["Canary", "RollingUpdate"])
def test_it_stays_with_what_serves_until_the_revision_that_was_gone_back_to_does(strategy: str) -> None:
    trials = gone_back_to_what_starts_no_more(strategy)
    trials.demand = 8
    for _ in range(12):
        trials.reconcile()
        assert target_of(trials.observed) == "v2"
    serving, broken = trials.of(2), trials.of(1)
    assert serving is not None
    assert broken is not None
    assert (serving.ready, broken.replicas) == (8, 1)


@pytest.mark.parametrize("strategy", ["Canary", "RollingUpdate"])
def test_what_it_asked_for_meanwhile_is_kept_and_not_shrunk_by_what_it_remembers(strategy: str) -> None:
    trials = gone_back_to_what_starts_no_more(strategy)
    trials.demand = 6
    canaries.look(trials, 6)
    trials.demand, trials.broken = 1, set()
    states = trials.until(lambda trials: trials.of(2) is None)
    trials.reconcile()
    assert min(state.ready for state in states) == trials.observed.ready == 6
    assert [target_of(state) for state in states] == sorted((target_of(state) for state in states), reverse=True)
    assert not any(may_shrink(state) for state in [*states, trials.observed])
    trials.now += timedelta(minutes=6)
    trials.settle()
    assert (target_of(trials.observed), may_shrink(trials.observed), trials.observed.ready) == ("v1", True, 1)


@pytest.mark.parametrize("gpus", [3, 4])
def test_it_does_not_take_the_gpu_that_a_revision_needs_that_was_gone_back_to(gpus: int) -> None:
    trials = canaries.changed(canaries.autoscaled(3, gpus, canary={"capacity": "Replace"}))
    trials.decision = "Promote"
    canaries.look(trials, 3)
    trials.until(lambda trials: trials.rollout["phase"] == "Idle" and trials.of(1) is None)
    trials.request("rollback#1")
    canaries.look(trials, 3)
    states = trials.until_phase("RolledBack")
    assert min(state.ready for state in states) >= 2
    assert (target_of(trials.observed), trials.observed.ready) == ("v1", 3)


def test_after_a_rollback_it_may_not_shrink_for_one_window() -> None:
    """What it remembers is of a time in which the canary had a share of the load."""
    trials = canaries.changed(canaries.autoscaled(4))
    trials.until_phase("Analysing")
    trials.decision, trials.demand = "Rollback", 1
    states = trials.until_phase("RolledBack")
    began = next(n for n, state in enumerate(states) if state.owner.status["rollout"]["phase"] == "RollingBack")
    assert not any(may_shrink(state) for state in states[began:])
    trials.reconcile()
    assert (may_shrink(trials.observed), trials.observed.ready) == (False, 4)
    trials.now += timedelta(minutes=6)
    trials.settle()
    assert (may_shrink(trials.observed), trials.observed.ready) == (True, 1)


def test_it_does_not_ask_back_the_pod_that_made_room_for_a_canary() -> None:
    scaling = {"minReplicas": 4, "maxReplicas": 8}
    trials = canaries.Trials(canaries.canary_spec(1, scaling=scaling, canary={"capacity": "Replace"}), gpus=4)
    trials.settle()
    canaries.changed(trials)
    trials.until_phase("Analysing")
    assert trials.observed.ready == 4
    assert autoscaler_of(trials.observed)["spec"]["minReplicas"] == 3


def test_it_never_works_on_a_deployment_of_somebody_else() -> None:
    fresh = make_observed()
    [name] = [manifest["metadata"]["name"] for manifest in deployments_of(reconcile(fresh, POLICY, NOW))]
    taken = replace(fresh, foreign=(ObjectKey("apps/v1", "Deployment", name),))
    plan = reconcile(taken, POLICY, NOW)
    assert not deployments_of(plan)
    assert not [manifest for manifest in plan.apply if manifest["kind"] == "HorizontalPodAutoscaler"]


def deployments_of(plan: Plan) -> list[Manifest]:
    return [manifest for manifest in plan.apply if manifest["kind"] == "Deployment"]


def test_it_is_not_created_before_there_is_a_deployment_that_it_can_work_on() -> None:
    cluster = autoscaled(1, strategy="Recreate")
    delete(cluster, "ControllerRevision")
    delete(cluster, "HorizontalPodAutoscaler")
    cluster.change(autoscaled_spec_of(2, "Recreate"))
    for state in cluster.settle():
        for key, live in state.children.items():
            if key.kind == "HorizontalPodAutoscaler":
                assert live["spec"]["scaleTargetRef"]["name"] in {w.name for w in state.workloads.values()}
    assert target_of(cluster.observed) == "v2"
