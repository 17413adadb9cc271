"""Where a canary gets its GPU: a free one, the place of a pod that serves, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from canaries import (
    Trials,
    analysed,
    autoscaled,
    canary_spec,
    changed,
    look,
    pods_of,
    rejection_of,
    served,
    stalled,
    watched,
)
from plimsoll_operator.observed import Manifest, ObjectKey

TEN_MINUTES = timedelta(minutes=10)


@pytest.mark.parametrize(
    ("capacity", "help_"),
    [
        ("Auto", "spares no pod for it: free or add a GPU, or set rollout.canary.capacity to Replace"),
        ("Surge", "or set rollout.canary.capacity to Auto"),
    ],
)
def test_without_a_gpu_a_canary_waits_and_says_what_would_help(capacity: str, help_: str) -> None:
    trials = changed(served(3, gpus=3, canary={"capacity": capacity}))
    stable = pods_of(trials.observed, 1)
    look(trials, 5)
    assert (trials.rollout["phase"], trials.rollout["reason"]) == ("Surging", "NoFreeGPU")
    assert help_ in trials.rollout["message"]
    assert pods_of(trials.observed, 1) == stable


def test_a_lower_minimum_is_advised_where_the_autoscaler_can_use_it() -> None:
    trials = changed(autoscaled(3, gpus=3, scaling={"minReplicas": 3}))
    look(trials, 5)
    assert "lower scaling.minReplicas, or set rollout.canary.capacity to Replace" in trials.rollout["message"]


@pytest.mark.parametrize("capacity", ["Auto", "Surge", "Replace"])
def test_of_the_only_pod_nothing_is_advised_that_ends_it_unseen(capacity: str) -> None:
    trials = changed(autoscaled(1, gpus=1, canary={"capacity": capacity}))
    look(trials, 5)
    message = trials.rollout["message"]
    assert "add another GPU, or set rollout.strategy to Recreate" in message
    assert "minReplicas" not in message


class UnderQuota(Trials):
    """A namespace with a quota on GPUs: what is beyond it is refused before there is a pod, the newest first."""

    quota = 100
    refused: frozenset[str] = frozenset()

    def _count_pods(self) -> None:
        super()._count_pods()
        held = sorted(self.pods, key=lambda pod: int(pod.name.rsplit("-", 1)[1]))
        self.refused = frozenset(pod.revision for pod in held[self.quota :])
        self.pods = held[: self.quota]

    def store(self, children: Mapping[ObjectKey, Manifest], replicas: Mapping[str, int] | None = None) -> None:
        super().store(children, replicas)
        says = 'pods "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1'
        workloads = {
            revision: replace(workload, replica_failure=says if revision in self.refused else "")
            for revision, workload in self.observed.workloads.items()
        }
        self.observed = replace(self.observed, workloads=workloads)


@pytest.mark.parametrize(
    ("replicas", "quota", "capacity"),
    [
        pytest.param(4, 5, "Auto", id="the second pod of the canary is refused"),
        pytest.param(3, 3, "Replace", id="the first, and one that serves gives its place"),
    ],
)
def test_a_good_canary_is_promoted_under_a_quota(replicas: int, quota: int, capacity: str) -> None:
    trials = UnderQuota(canary_spec(1, replicas))
    trials.settle()
    trials.quota = quota
    changed(trials, canary={"capacity": capacity})
    trials.decision = "Promote"
    states = trials.until_phase("Idle", moves=160)
    assert min(state.ready for state in states) >= replicas - 1
    trials.until(lambda trials: trials.of(1) is None)


def test_a_quota_that_has_no_room_at_all_is_told() -> None:
    trials = UnderQuota(canary_spec(1, 3))
    trials.settle()
    trials.quota = 3
    changed(trials)
    look(trials, 5)
    assert trials.rollout["reason"] == "NoFreeGPU"
    assert "the quota has no room" in trials.rollout["message"]
    assert "The apiserver says: pods" in trials.rollout["message"]


def test_a_gpu_that_does_not_come_is_told_after_the_deadline_and_held_against_nobody() -> None:
    trials = changed(served(3, gpus=3, progressDeadline="10m"))
    look(trials, 3)
    watched(trials, TEN_MINUTES)
    look(trials, 2)
    assert stalled(trials) == ("True", "ProgressDeadlineExceeded")
    assert rejection_of(trials.observed, 2) is None
    trials.gpus += 1
    analysed(trials)
    assert stalled(trials) == ("False", "NotStalled")


def test_one_pod_gives_its_place_where_the_minimum_spares_it() -> None:
    trials = changed(autoscaled(3, gpus=3))
    trials.demand = None
    states = trials.until_phase("Analysing")
    assert min(state.ready for state in states) == 2
    assert trials.rollout["placesGiven"] == 1
    assert len(pods_of(trials.observed, 1)) == 2
    trials.decision = "Rollback"
    trials.settle()
    assert len(pods_of(trials.observed, 1)) == 3


@pytest.mark.parametrize("strategy", ["Canary", "RollingUpdate"])
@pytest.mark.parametrize("wanted", [5, 8])
def test_an_autoscaler_that_wants_more_than_there_is_holds_no_rollout_up(strategy: str, wanted: int) -> None:
    trials = autoscaled(3, gpus=4, strategy=strategy)
    changed(trials)
    if strategy == "Canary":
        analysed(trials)
    trials.demand, trials.decision = wanted, "Promote"
    states = trials.until(lambda trials: trials.of(1) is None, moves=120)
    assert min(state.ready for state in states) >= 3
    assert trials.observed.ready == 4


def test_a_gpu_that_a_pod_has_left_is_not_taken_for_lost_before_the_scheduler_gives_it_away() -> None:
    trials = autoscaled(3, gpus=4)
    analysed(changed(trials))
    trials.demand, trials.decision = 8, "Promote"
    trials.until(lambda trials: sum(pod.scheduled and not pod.terminating for pod in trials.pods) == 3, moves=120)
    trials.gpus = 3
    look(trials, 3)
    assert trials.observed.ready == 3, "no other pod is given up while the GPU is on its way to one that waits"


@pytest.mark.parametrize("replicas", [3, 4])
def test_a_promotion_ends_with_what_a_lost_node_has_left(replicas: int) -> None:
    trials = analysed(changed(served(replicas, gpus=replicas + 1)))
    trials.decision = "Promote"
    trials.until_phase("Promoting")
    trials.gpus = 2
    look(trials)
    states = trials.until(lambda trials: trials.of(1) is None, moves=120)
    assert min(state.ready for state in states[1:]) >= 1
    assert trials.observed.ready == 2


@pytest.mark.parametrize("capacity", ["Auto", "Replace"])
def test_a_canary_takes_the_place_of_a_pod_that_has_one(capacity: str) -> None:
    trials = autoscaled(3, gpus=3, canary={"capacity": capacity})
    trials.demand = 8
    trials.settle()
    states = [*changed(trials).until_phase("Analysing")]
    assert min(state.ready for state in states) == 2
    assert trials.rollout["placesGiven"] == 1


def test_a_canary_that_waits_for_a_gpu_lets_the_autoscaler_free_one() -> None:
    trials = autoscaled(3, gpus=3, canary={"capacity": "Surge"})
    trials.demand = 8
    trials.settle()
    changed(trials)
    look(trials, 10)
    assert trials.rollout["reason"] == "NoFreeGPU"
    trials.demand = 1
    analysed(trials)
    assert trials.observed.ready == 2


def test_the_only_pod_is_never_given_up() -> None:
    trials = changed(served(1, gpus=1, canary={"capacity": "Replace"}))
    look(trials, 6)
    assert trials.observed.ready == 1
    assert trials.rollout["reason"] == "NoFreeGPU"


def test_a_canary_makes_do_with_fewer_pods_than_its_step_asks_for() -> None:
    trials = analysed(changed(served(9, gpus=10, canary={"steps": [50], "maxPods": 2})))
    assert (trials.rollout["weightPercent"], len(pods_of(trials.observed, 1))) == (10, 9)
