"""When a rollout that stands still is given up, and what counts as getting on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import Cluster, make_spec
from plimsoll_operator.observed import Manifest
from rollouts import condition, look, settled, spec_of

MINUTE = timedelta(minutes=1)


def stalled(cluster: Cluster) -> bool:
    return bool(condition(cluster.observed, "Stalled")["status"] == "True")


def rollout(cluster: Cluster) -> Manifest:
    found: Manifest = cluster.observed.owner.status["rollout"]
    return found


def looked_at_after(cluster: Cluster, minutes: float) -> bool:
    """Whether it is stalled so many minutes later."""
    cluster.now += minutes * MINUTE
    cluster.reconcile()
    return stalled(cluster)


def stuck() -> Cluster:
    """A rollout of three pods, the first of which was ready and is so no more."""
    cluster = settled(replicas=3, gpus=3)
    cluster.change(spec_of(2, 3, progressDeadline="10m"))
    while rollout(cluster).get("mostReady") != 1:
        cluster.reconcile()
    cluster.broken = {"pvc://models/v2"}
    cluster.settle()
    return cluster


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_a_long_rollout_that_gets_on_is_never_given_up(strategy: str) -> None:
    cluster = settled(replicas=8, gpus=8, strategy=strategy)
    cluster.change(spec_of(2, 8, strategy, progressDeadline="5m"))
    began = cluster.now
    for _ in range(60):
        assert not looked_at_after(cluster, 1)
        if condition(cluster.observed, "Ready")["status"] == "True":
            break
    assert condition(cluster.observed, "Ready")["status"] == "True"
    assert strategy == "Recreate" or cluster.now - began > 15 * MINUTE


def test_the_deadline_counts_from_the_last_progress() -> None:
    cluster = stuck()
    assert not looked_at_after(cluster, 9)
    assert looked_at_after(cluster, 1)
    assert condition(cluster.observed, "Stalled")["reason"] == "ProgressDeadlineExceeded"


def test_a_rollout_that_was_given_up_and_gets_on_is_under_way_again() -> None:
    cluster = stuck()
    assert looked_at_after(cluster, 11)
    cluster.broken, cluster.gpus = set(), 10
    while condition(cluster.observed, "Ready")["status"] != "True":
        cluster.reconcile()
    assert not stalled(cluster)


def test_a_pod_that_comes_and_goes_is_no_progress() -> None:
    cluster = stuck()
    for minute in range(12):
        make_ready(cluster, ready=bool(minute % 2))
        look(cluster, minute * MINUTE)
    assert stalled(cluster)


def make_ready(cluster: Cluster, *, ready: bool) -> None:
    """The first pod of the new revision becomes ready, or ceases to be."""
    target = cluster.observed.workloads[rollout(cluster)["canary"]]
    first, *others = target.pods
    pods = (replace(first, ready=ready), *others)
    workloads = {**cluster.observed.workloads, target.revision: replace(target, pods=pods)}
    cluster.observed = replace(cluster.observed, workloads=workloads)


def test_an_operator_that_starts_again_begins_no_new_count() -> None:
    cluster = stuck()
    progressed = rollout(cluster)["progressedAt"]
    for _ in range(3):
        assert not looked_at_after(cluster, 3)
    assert rollout(cluster)["progressedAt"] == progressed


def test_a_status_that_is_lost_again_and_again_puts_the_deadline_off_no_further_than_the_deployment_is_old() -> None:
    cluster = settled(replicas=1, gpus=2)
    cluster.change(spec_of(2, 1, progressDeadline="10m"))
    cluster.broken = {"pvc://models/v2"}
    cluster.settle()
    born_now(cluster, rollout(cluster)["canary"])
    for _ in range(2):
        lose_the_status(cluster)
        assert not looked_at_after(cluster, 4)
    lose_the_status(cluster)
    assert looked_at_after(cluster, 4)


def born_now(cluster: Cluster, revision: str) -> None:
    made = cluster.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    children = {
        key: {**live, "metadata": {**live["metadata"], "creationTimestamp": made}}
        if key.name.endswith(revision)
        else live
        for key, live in cluster.observed.children.items()
    }
    cluster.store(children)


def lose_the_status(cluster: Cluster) -> None:
    owner = replace(cluster.observed.owner, status={})
    cluster.observed = replace(cluster.observed, owner=owner)


@pytest.mark.parametrize(
    ("model", "stated", "given_up"),
    [
        pytest.param({}, {}, 1100 / 60 + 5, id="nobody knows how large: as long as its start may take, and more"),
        pytest.param({"shape": "modernbert-base"}, {}, 10.5, id="a small model: about ten minutes"),
        pytest.param({}, {"progressDeadline": "10m"}, 10, id="ten minutes are ten minutes where the user says so"),
    ],
)
def test_no_start_that_its_probe_allows_is_given_up_by_default(
    model: dict[str, str], stated: dict[str, str], given_up: float
) -> None:
    uri = "pvc://models/v1"
    cluster = Cluster(make_spec(model={"uri": uri, **model}, rollout=stated), gpus=1)
    cluster.broken = {uri}
    cluster.settle()
    assert not looked_at_after(cluster, given_up - 1.5)
    assert looked_at_after(cluster, 2)
