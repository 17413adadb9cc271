"""The condition that keeps a kill in sight after the pod serves again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import NOW, Cluster, make_observed, make_pod, make_workload
from plimsoll_operator.observed import Milestones, Observed, Pack, Pod
from plimsoll_operator.out_of_memory import IN_SIGHT, out_of_memory
from rollouts import at_rest, condition, look, spec_of

PACK = Pack("long", 8192, 2)


def observed(*pods: Pod) -> Observed:
    return replace(make_observed(), workloads={"abc": make_workload("abc", len(pods), *pods)})


def killed(minutes_ago: float, **fields: Any) -> Pod:
    moment = NOW - timedelta(minutes=minutes_ago)
    return make_pod("abc", **{"last_exit_reason": "OOMKilled", "last_exit_at": moment, "ready": True} | fields)


@pytest.mark.parametrize(
    ("pods", "status"),
    [
        pytest.param((), "False", id="no pod"),
        pytest.param((killed(5),), "True", id="killed, and serving again"),
        pytest.param((killed(5, last_exit_reason="Error"),), "False", id="crashed"),
        pytest.param((killed(IN_SIGHT.total_seconds() / 60),), "False", id="an hour ago"),
        pytest.param((killed(5), make_pod("abc", name="well", ready=True)), "True", id="one of two"),
    ],
)
def test_a_kill_is_in_sight_for_an_hour(pods: tuple[Pod, ...], status: str) -> None:
    assert out_of_memory(observed(*pods), NOW).status == status


def test_it_names_the_last_pod_and_what_ran_in_it() -> None:
    told = out_of_memory(observed(killed(5, name="a"), killed(1, name="b", last_pack=PACK)), NOW)
    assert told.reason == "OOMKilled"
    assert "pod b of revision abc was killed for memory at 2026-05-04T02:59:00Z" in told.message
    assert "while tier long ran 8192 tokens in a batch of 2: lower spec.server.memoryUtilizationPercent" in told.message


def looked(cluster: Cluster, *pods: Pod, after: timedelta) -> dict[str, Any]:
    """`OutOfMemory` as stored once the operator has seen these pods of the stable revision."""
    [workload] = cluster.observed.workloads.values()
    mine = tuple(replace(pod, revision=workload.revision) for pod in pods)
    cluster.observed = replace(cluster.observed, workloads={workload.revision: replace(workload, pods=mine)})
    look(cluster, after)
    return condition(cluster.observed, "OutOfMemory")


@pytest.mark.parametrize(
    "later",
    [
        pytest.param((killed(-2, last_exit_reason="Error"),), id="the pod crashed after it"),
        pytest.param((make_pod("abc", name="another", ready=True),), id="another pod took its place"),
        pytest.param((), id="no pod is left"),
    ],
)
@pytest.mark.parametrize("pack", [PACK, None], ids=["noted what ran", "noted nothing"])
def test_a_kill_stays_in_sight_whatever_becomes_of_the_pod(later: tuple[Pod, ...], pack: Pack | None) -> None:
    cluster = at_rest(spec_of(1, 1))
    began = cluster.now
    seen = replace(killed(0, last_pack=pack), last_exit_at=began)
    first = looked(cluster, seen, after=timedelta(minutes=1))
    assert first["status"] == "True"
    assert looked(cluster, *later, after=timedelta(minutes=59)) == first
    assert looked(cluster, *later, after=timedelta(minutes=60))["status"] == "False"
    assert "outOfMemory" not in cluster.observed.owner.status


def test_status_keeps_the_newest_kill_in_fields() -> None:
    cluster = at_rest(spec_of(1, 1))
    older = replace(killed(0, name="a"), last_exit_at=cluster.now)
    newer = replace(killed(0, name="b", last_pack=PACK), last_exit_at=cluster.now + timedelta(minutes=1))
    looked(cluster, older, after=timedelta(minutes=1))
    looked(cluster, older, newer, after=timedelta(minutes=2))
    kept = dict(cluster.observed.owner.status["outOfMemory"])
    assert kept.pop("at").endswith("Z")
    [revision] = cluster.observed.revisions
    ran = {"tier": "long", "tokens": 8192, "sequences": 2}
    assert kept == {"pod": "b", "revision": revision.hash, "stablePodsDown": 0, **ran}


@pytest.mark.parametrize(
    ("pods", "down"),
    [
        pytest.param((killed(1, ready=False), make_pod("abc", name="well", ready=True)), 1, id="it starts again"),
        pytest.param((killed(1), make_pod("abc", name="new")), 0, id="it is back, and another starts as in a scale-up"),
        pytest.param((killed(1, ready=False, terminating=True),), 0, id="it is taken away"),
        pytest.param(
            (killed(1), killed(2, name="crashed", ready=False, last_exit_reason="Error")), 0, id="one crashed"
        ),
    ],
)
def test_pods_that_kills_keep_from_serving_are_counted(pods: tuple[Pod, ...], down: int) -> None:
    cluster = at_rest(spec_of(1, 1))
    seen = [replace(pod, last_exit_at=cluster.now) if pod.last_exit_at else pod for pod in pods]
    looked(cluster, *seen, after=timedelta(minutes=1))
    assert cluster.observed.owner.status["outOfMemory"]["stablePodsDown"] == down


@pytest.mark.parametrize(
    ("unready_for", "down"),
    [
        pytest.param(timedelta(days=21), 1, id="since its kill"),
        pytest.param(timedelta(seconds=20), 0, id="since just now, and it served for weeks in between"),
    ],
)
def test_a_pod_that_came_back_from_its_kill_and_is_unready_again_is_not_down_for_memory(
    unready_for: timedelta, down: int
) -> None:
    cluster = at_rest(spec_of(1, 1))
    [stable] = cluster.observed.workloads
    long_ago = cluster.now - timedelta(days=21)
    milestones = Milestones(long_ago, long_ago, long_ago, started=True, ready_changed=cluster.now - unready_for)
    mine = replace(killed(0, ready=False), revision=stable, last_exit_at=long_ago, milestones=milestones)
    canary = make_workload("new", 1, replace(killed(0, ready=False), revision="new", last_exit_at=cluster.now))
    workloads = {stable: replace(cluster.observed.workloads[stable], pods=(mine,)), "new": canary}
    cluster.observed = replace(cluster.observed, workloads=workloads)
    look(cluster, timedelta())
    assert cluster.observed.owner.status["outOfMemory"]["stablePodsDown"] == down


def test_a_canary_that_is_killed_keeps_no_stable_pod_from_serving() -> None:
    cluster = at_rest(spec_of(1, 1))
    canary = make_workload("new", 1, replace(killed(0, ready=False), revision="new", last_exit_at=cluster.now))
    cluster.observed = replace(cluster.observed, workloads={**cluster.observed.workloads, "new": canary})
    look(cluster, timedelta(minutes=1))
    assert cluster.observed.owner.status["outOfMemory"]["stablePodsDown"] == 0
