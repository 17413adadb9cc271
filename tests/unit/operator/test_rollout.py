"""Rollouts walked move by move: who serves at each moment, and where it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from builders import Cluster
from rollouts import condition, settled, spec_of, version_of


def test_a_first_revision_becomes_stable_and_ready() -> None:
    cluster = Cluster(spec_of(1, 3))
    cluster.settle()
    assert cluster.observed.ready == 3
    assert cluster.observed.stable is not None
    assert condition(cluster.observed, "Ready")["status"] == "True"
    assert cluster.observed.owner.status["rollout"]["phase"] == "Idle"


@pytest.mark.parametrize(
    ("replicas", "gpus", "fewest_serving", "most_pods"),
    [
        pytest.param(1, 2, 1, 2, id="one pod and a spare GPU: the new one comes first"),
        pytest.param(3, 4, 3, 4, id="three pods and a spare GPU: nobody is missed"),
        pytest.param(3, 3, 2, 4, id="three pods and no spare GPU: one fewer serves"),
        pytest.param(2, 2, 1, 3, id="two pods and no spare GPU: one serves throughout"),
    ],
)
def test_a_rolling_update_ends_with_the_new_revision_alone(
    replicas: int, gpus: int, fewest_serving: int, most_pods: int
) -> None:
    cluster = settled(replicas, gpus)
    old = set(cluster.observed.workloads)
    cluster.change(spec_of(2, replicas))
    states = cluster.settle()
    assert min(state.ready for state in states) == fewest_serving
    assert max(state.replicas for state in states) <= most_pods
    assert len(cluster.observed.workloads) == 1
    assert not old & set(cluster.observed.workloads)
    assert cluster.observed.ready == replicas
    assert condition(cluster.observed, "Ready")["status"] == "True"


@pytest.mark.parametrize(("gpus", "told"), [(3, False), (2, True)], ids=["a spare GPU", "no spare GPU"])
def test_an_event_tells_that_pods_are_replaced_one_at_a_time(gpus: int, told: bool) -> None:
    cluster = settled(replicas=2, gpus=gpus)
    cluster.change(spec_of(2, 2))
    events = [event for _ in range(20) for event in cluster.reconcile().events]
    of_it = [event for event in events if event.reason == "ReplacingOneAtATime"]
    assert bool(of_it) == told
    assert all("replacing one pod at a time" in event.message for event in of_it)


def test_the_only_serving_pod_is_not_given_up_for_want_of_a_gpu() -> None:
    cluster = settled(replicas=1, gpus=1)
    cluster.change(spec_of(2, 1))
    cluster.settle()
    assert cluster.observed.ready == 1
    assert cluster.observed.owner.status["rollout"]["phase"] == "WaitingForGPU"
    reason = condition(cluster.observed, "Ready")
    assert reason["reason"] == "NoFreeGPU"
    assert "Recreate" in reason["message"]


def test_a_first_revision_without_a_gpu_says_that_no_node_has_room() -> None:
    cluster = Cluster(spec_of(1, 2), gpus=0)
    cluster.settle()
    reason = condition(cluster.observed, "Ready")
    assert (reason["status"], reason["reason"]) == ("False", "NoFreeGPU")
    assert "nvidia-l4" in reason["message"]
    assert "Insufficient nvidia.com/gpu" in reason["message"]


def test_waiting_for_a_gpu_becomes_stalled_at_the_deadline() -> None:
    cluster = settled(replicas=1, gpus=1)
    cluster.change(spec_of(2, 1, progressDeadline="2m"))
    cluster.settle()
    assert condition(cluster.observed, "Stalled")["status"] == "False"
    cluster.now += timedelta(minutes=2)
    cluster.settle()
    stalled = condition(cluster.observed, "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "ProgressDeadlineExceeded")
    assert condition(cluster.observed, "Reconciling")["status"] == "False"
    assert condition(cluster.observed, "Available")["status"] == "True"


def test_recreate_frees_the_gpu_first() -> None:
    cluster = settled(replicas=1, gpus=1, strategy="Recreate")
    cluster.change(spec_of(2, 1, "Recreate"))
    states = cluster.settle()
    assert min(state.ready for state in states) == 0
    assert max(state.replicas for state in states) == 1
    assert cluster.observed.ready == 1


def test_a_target_without_a_gpu_takes_no_more_than_one_from_pods_that_are_only_starting() -> None:
    cluster = settled(replicas=3, gpus=3)
    [stable] = cluster.observed.workloads
    cluster.broken = {stable, "pvc://models/v2"}
    cluster.reconcile()
    cluster.change(spec_of(2, 3))
    cluster.settle()
    assert cluster.observed.workloads[stable].replicas == 2
    cluster.broken -= {stable}
    cluster.settle()
    assert cluster.observed.ready == 2


def test_a_broken_stable_revision_gives_its_gpus_to_the_fix() -> None:
    cluster = settled(replicas=2, gpus=2)
    cluster.broken = set(cluster.observed.workloads)
    cluster.reconcile()
    assert cluster.observed.ready == 0
    cluster.change(spec_of(2, 2))
    cluster.settle()
    assert cluster.observed.ready == 2
    assert condition(cluster.observed, "Ready")["status"] == "True"


def test_a_revision_that_never_gets_ready_takes_no_pod_from_stable() -> None:
    cluster = settled(replicas=3, gpus=10)
    stable = next(iter(cluster.observed.workloads))
    cluster.change(spec_of(2, 3))
    cluster.reconcile()
    cluster.broken = set(cluster.observed.workloads) - {stable}
    states = cluster.settle()
    assert min(state.ready for state in states) == 3
    assert cluster.observed.stable is not None
    assert cluster.observed.stable.hash == stable


def test_a_spec_taken_back_half_way_ends_on_the_old_revision() -> None:
    cluster = settled(replicas=3, gpus=4)
    stable = next(iter(cluster.observed.workloads))
    cluster.change(spec_of(2, 3))
    for _ in range(3):
        cluster.reconcile()
    assert len(cluster.observed.workloads) == 2
    cluster.change(spec_of(1, 3))
    states = cluster.settle()
    assert min(state.ready for state in states) >= 3
    assert set(cluster.observed.workloads) == {stable}


def test_recreate_taken_back_ends_the_new_pods_before_the_old_ones_start_again() -> None:
    cluster = settled(replicas=2, gpus=10, strategy="Recreate")
    stable = next(iter(cluster.observed.workloads))
    cluster.change(spec_of(2, 2, "Recreate"))
    while len(cluster.observed.workloads) == 1:
        cluster.reconcile()
    cluster.change(spec_of(1, 2, "Recreate"))
    states = cluster.settle()
    assert all(sum(bool(workload.pods) for workload in state.workloads.values()) <= 1 for state in states)
    assert (set(cluster.observed.workloads), cluster.observed.ready) == ({stable}, 2)


def test_a_third_revision_supersedes_the_second() -> None:
    cluster = settled(replicas=3, gpus=5)
    cluster.change(spec_of(2, 3))
    for _ in range(3):
        cluster.reconcile()
    cluster.change(spec_of(3, 3))
    states = cluster.settle()
    assert min(state.ready for state in states) >= 2
    assert len(cluster.observed.workloads) == 1
    template = next(iter(cluster.observed.revisions[-1:])).template
    assert "/models/v3" in str(template)


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
@pytest.mark.parametrize("gpus", [0, 2])
def test_a_model_that_is_parked_runs_no_pod_and_takes_every_change_at_once(strategy: str, gpus: int) -> None:
    cluster = settled(replicas=0, gpus=gpus, strategy=strategy)
    cluster.change(spec_of(2, 0, strategy))
    cluster.settle()
    [workload] = cluster.observed.workloads.values()
    assert (version_of(cluster.observed, workload.name), workload.pods) == ("v2", ())
    for kind, status in (("Ready", "True"), ("Available", "False")):
        told = condition(cluster.observed, kind)
        assert (told["status"], told["reason"]) == (status, "Parked")


def test_returning_to_an_old_revision_renders_nothing_anew() -> None:
    cluster = settled(replicas=1, gpus=2)
    first = cluster.observed.stable
    assert first is not None
    cluster.change(spec_of(2, 1))
    cluster.settle()
    cluster.change(spec_of(1, 1))
    cluster.settle()
    assert cluster.observed.stable is not None
    assert cluster.observed.stable.hash == first.hash
    assert cluster.observed.stable.template == first.template
    assert cluster.observed.stable.number == 3
    assert len(cluster.observed.revisions) == 2


def test_history_is_kept_up_to_its_limit_without_those_in_use() -> None:
    cluster = settled(replicas=1, gpus=2)
    for version in range(2, 6):
        cluster.change(spec_of(version, 1, revisionHistoryLimit=2))
        cluster.settle()
    assert len(cluster.observed.revisions) == 3
    assert sorted(revision.number for revision in cluster.observed.revisions) == [3, 4, 5]
