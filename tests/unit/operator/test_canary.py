"""A canary from the change to its end: who serves at each moment, and what status says of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from canaries import analysed, autoscaled, changed, pods_of, rejection_of, served, workload_of
from plimsoll_operator.observed import Observed
from rollouts import autoscaler_of, condition, version_of

FIVE_MINUTES = timedelta(minutes=5)


def fewest_ready(states: list[Observed]) -> int:
    return min(state.ready for state in states)


def phases(states: list[Observed]) -> list[str]:
    """The phases in their order, each once where it stays."""
    told = [state.owner.status["rollout"]["phase"] for state in states]
    return [phase for n, phase in enumerate(told) if n == 0 or phase != told[n - 1]]


@pytest.mark.parametrize(
    ("replicas", "gpus", "capacity", "fewest"),
    [
        pytest.param(1, 2, "Auto", 1, id="one pod, a GPU to spare"),
        pytest.param(4, 100, "Auto", 4, id="as many GPUs as one likes"),
        pytest.param(4, 5, "Auto", 4, id="one GPU to spare"),
        pytest.param(4, 5, "Surge", 4, id="one GPU to spare, and only such"),
        pytest.param(4, 4, "Replace", 3, id="none to spare"),
        pytest.param(2, 2, "Replace", 1, id="none to spare, of two"),
    ],
)
def test_a_good_canary_takes_over_and_none_of_its_pods_restarts(
    replicas: int, gpus: int, capacity: str, fewest: int
) -> None:
    trials = changed(served(replicas, gpus, canary={"capacity": capacity}))
    trials.decision = "Promote"
    before = trials.until_phase("Analysing")
    first = pods_of(trials.observed, 2)
    states = [*before, *trials.until_phase("Promoting"), *trials.settle()]
    assert fewest_ready(states) == fewest
    assert first <= pods_of(states[-1], 2), "the canary's own pods serve on"
    assert trials.of(1) is None
    assert phases(states)[-2:] == ["Promoting", "Idle"]
    assert condition(states[-1], "Ready")["status"] == "True"


@pytest.mark.parametrize(
    ("replicas", "gpus", "capacity", "given"),
    [
        pytest.param(4, 100, "Auto", 0, id="a GPU to spare"),
        pytest.param(4, 4, "Replace", 1, id="in the place of one"),
    ],
)
def test_a_bad_canary_goes_and_no_other_pod_is_touched(replicas: int, gpus: int, capacity: str, given: int) -> None:
    trials = changed(served(replicas, gpus, canary={"capacity": capacity}))
    stable = pods_of(trials.observed, 1)
    analysed(trials)
    beside = pods_of(trials.observed, 1)
    assert len(stable - beside) == given
    trials.decision = "Rollback"
    states = trials.settle()
    assert beside <= pods_of(states[-1], 1), "none of those that served beside it"
    assert len(pods_of(states[-1], 1)) == replicas, "one that was given up comes back"
    assert trials.of(2) is None
    assert phases(states)[-2:] == ["RollingBack", "RolledBack"]


def test_a_rollback_is_said_once_and_for_all() -> None:
    trials = changed(served(3))
    trials.decision = "Rollback"
    trials.settle()
    state = trials.observed
    assert {kind: condition(state, kind)["status"] for kind in ("Available", "Ready", "Reconciling", "Stalled")} == {
        "Available": "True",
        "Ready": "False",
        "Reconciling": "False",
        "Stalled": "True",
    }
    assert condition(state, "Ready")["reason"] == "RolledBack"
    because = rejection_of(state, 2)
    assert because is not None
    assert because.reason == "MoreErrors"
    assert because.message in condition(state, "Stalled")["message"]
    assert trials.rollout["canary"] == ""
    assert "wantedReplicas" not in trials.rollout


def test_the_pods_go_in_the_very_look_that_finds_the_harm() -> None:
    trials = analysed(changed(served(3)))
    trials.decision = "Rollback"
    plan = trials.reconcile()
    assert [(scale.replicas, version_of(trials.observed, scale.deployment)) for scale in plan.scale] == [(0, "v2")]
    assert plan.status is not None
    assert plan.status["rollout"]["phase"] == "RollingBack"


def test_every_step_is_gone_through_and_gets_its_pods() -> None:
    trials = changed(served(9, canary={"steps": [10, 30, 50], "maxPods": 16}))
    trials.decision = "Promote"
    seen = []
    for state in trials.until_phase("Promoting"):
        rollout, canary = state.owner.status["rollout"], workload_of(state, 2)
        if rollout["phase"] == "Analysing" and canary:
            seen.append((rollout["step"], rollout["steps"], canary.ready, rollout["weightPercent"]))
    assert sorted(set(seen)) == [(1, 3, 1, 10), (2, 3, 4, 31), (3, 3, 9, 50)]


def test_a_step_waits_for_its_requests() -> None:
    trials = changed(served(4))
    trials.decision, trials.rate = "Promote", 0
    trials.until_phase("Analysing")
    trials.now += FIVE_MINUTES
    for _ in range(10):
        trials.reconcile()
    assert (trials.rollout["phase"], trials.rollout["step"]) == ("Analysing", 1)
    trials.rate = 60
    trials.until_phase("Promoting")


def test_the_weight_follows_a_stable_revision_that_grows() -> None:
    trials = analysed(changed(autoscaled(2, canary={"steps": [25], "maxPods": 4})))
    assert trials.rollout["weightPercent"] == 33
    trials.demand = 6
    trials.until(lambda trials: trials.rollout["weightPercent"] == 25)
    canary, stable = trials.of(2), trials.of(1)
    assert canary is not None
    assert stable is not None
    assert (canary.ready, stable.ready) == (2, 6)


def test_a_canary_never_shrinks_while_it_is_judged() -> None:
    trials = analysed(changed(served(9, canary={"steps": [30], "maxPods": 16})))
    pods = pods_of(trials.observed, 2)
    spec = trials.observed.owner.spec
    trials.change({**spec, "rollout": {**spec["rollout"], "canary": {"steps": [10], "maxPods": 1}}})
    trials.reconcile()
    trials.reconcile()
    assert pods_of(trials.observed, 2) == pods


def test_the_stable_revision_may_grow_but_not_shrink_while_a_canary_is_judged() -> None:
    trials = analysed(changed(autoscaled(4)))
    assert version_of(trials.observed, autoscaler_of(trials.observed)["spec"]["scaleTargetRef"]["name"]) == "v1"
    trials.demand = 1
    for _ in range(5):
        trials.reconcile()
    stable = trials.of(1)
    assert stable is not None
    assert stable.ready == 4
    trials.demand = 6
    trials.until(lambda trials: trials.observed.workloads[stable.revision].ready == 6)


def test_the_autoscaler_goes_over_with_the_promotion_and_shrinks_a_window_later() -> None:
    trials = analysed(changed(autoscaled(4)))
    trials.decision, trials.demand = "Promote", 1
    trials.until_phase("Promoting")
    assert version_of(trials.observed, autoscaler_of(trials.observed)["spec"]["scaleTargetRef"]["name"]) == "v2"
    states = trials.until_phase("Idle")
    assert fewest_ready(states) >= 4
    trials.now += FIVE_MINUTES - timedelta(seconds=30)
    trials.reconcile()
    assert autoscaler_of(trials.observed)["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"
    trials.now += timedelta(minutes=1)
    trials.reconcile()
    trials.reconcile()
    assert trials.observed.ready == 1


def test_a_first_revision_is_not_judged() -> None:
    trials = served(3)
    assert trials.rollout["phase"] == "Idle"
    assert trials.judged == ""


def test_a_person_promotes_and_the_evidence_is_not_waited_for() -> None:
    trials = analysed(changed(served(3)))
    trials.request(f"promote@{trials.rollout['canary']}#now")
    trials.settle()
    assert trials.rollout["phase"] == "Idle"
    assert trials.of(1) is None


def test_a_person_aborts_and_the_canary_goes() -> None:
    trials = analysed(changed(served(3)))
    stable = pods_of(trials.observed, 1)
    trials.request(f"abort@{trials.rollout['canary']}#now")
    trials.settle()
    assert trials.rollout["phase"] == "RolledBack"
    assert pods_of(trials.observed, 1) == stable


def test_what_was_taken_back_is_tried_again_only_when_asked_to() -> None:
    trials = changed(served(3))
    trials.decision = "Rollback"
    trials.settle()
    changed(trials, 1)
    trials.settle()
    assert trials.rollout["phase"] == "Idle"
    trials.decision = "Promote"
    changed(trials, 2)
    trials.settle()
    assert (trials.rollout["phase"], trials.of(2)) == ("RolledBack", None)
    trials.request("retry#1")
    trials.until_phase("Analysing")
    trials.until_phase("Idle")
    assert trials.of(1) is None


@pytest.mark.parametrize(("gpus", "fewest"), [(100, 3), (3, 2)], ids=["GPUs to spare", "none to spare"])
def test_a_revision_that_served_before_is_not_judged_again(gpus: int, fewest: int) -> None:
    trials = changed(served(3))
    trials.decision = "Promote"
    trials.until(lambda trials: trials.of(1) is None)
    trials.judged, trials.gpus = "", gpus
    changed(trials, 1)
    states = [*trials.until(lambda trials: trials.of(2) is None), *trials.settle()]
    assert trials.judged == ""
    assert fewest_ready(states) >= fewest
    assert trials.of(2) is None


def test_a_revision_that_served_before_and_starts_no_more_is_taken_back() -> None:
    trials = changed(served(3, progressDeadline="5m"))
    trials.decision = "Promote"
    trials.until(lambda trials: trials.of(1) is None)
    trials.broken.add("pvc://models/v1")
    serving = pods_of(trials.observed, 2)
    changed(trials, 1)
    trials.until(lambda trials: trials.of(1) is not None)
    for _ in range(80):
        trials.reconcile()
    because = rejection_of(trials.observed, 1)
    assert because is not None
    assert because.reason == "NotReadyInTime"
    assert (trials.rollout["phase"], pods_of(trials.observed, 2)) == ("RolledBack", serving)
