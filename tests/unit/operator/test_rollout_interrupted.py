"""Rollouts under an operator that is killed between two writes, or that finds its status gone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import Cluster, make_pod, make_workload
from plimsoll_operator.reconcile import reconcile
from rollouts import autoscaled, autoscaled_spec_of, settled, spec_of, version_of


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
@pytest.mark.parametrize("writes", range(1, 8))
def test_an_operator_killed_after_every_few_writes_loses_no_pod(strategy: str, writes: int) -> None:
    cluster = autoscaled(4, strategy=strategy)
    cluster.demand = None
    cluster.change(autoscaled_spec_of(2, strategy))
    for _ in range(60):
        cluster.reconcile(writes=writes)
        cluster.reconcile(writes=0)
    [workload] = cluster.observed.workloads.values()
    assert version_of(cluster.observed, workload.name) == "v2"
    assert workload.ready == 4


def test_a_status_lost_half_way_costs_no_pod() -> None:
    cluster = autoscaled(6)
    cluster.demand = None
    cluster.change(autoscaled_spec_of(2))
    while len(cluster.observed.workloads) < 2 or min(w.ready for w in cluster.observed.workloads.values()) < 3:
        cluster.reconcile()
    cluster.observed = replace(cluster.observed, owner=replace(cluster.observed.owner, status={}))
    states = cluster.settle()
    assert min(state.ready for state in states) >= 6


def test_two_revisions_left_stable_by_a_killed_operator_become_one() -> None:
    cluster = settled(replicas=2, gpus=4)
    cluster.change(spec_of(2, 2))
    while len([revision for revision in cluster.observed.revisions if revision.stable]) < 2:
        plan = reconcile(cluster.observed, cluster.policy, cluster.now)
        # The first of the writes that promote is that of the new stable revision.
        promoting = bool(plan.apply) and plan.apply[0]["metadata"]["labels"].get("plimsoll.dev/stable") == "true"
        cluster.reconcile(writes=1 if promoting else None)
    # Taken back at this moment, the old revision is the one to reach; the new one serves.
    cluster.change(spec_of(1, 2))
    cluster.reconcile()
    [stable] = [revision for revision in cluster.observed.revisions if revision.stable]
    assert version_of(cluster.observed, stable.name) == "v2"
    cluster.settle()
    [workload] = cluster.observed.workloads.values()
    assert version_of(cluster.observed, workload.name) == "v1"


def test_old_pods_that_take_long_to_end_are_not_looked_at_every_second() -> None:
    cluster = Cluster(spec_of(2, 1))
    cluster.settle()
    ending = make_workload("0ld", 0, make_pod("0ld", terminating=True))
    cluster.observed = replace(cluster.observed, workloads={**cluster.observed.workloads, "0ld": ending})
    plan = reconcile(cluster.observed, cluster.policy, cluster.now)
    assert plan.requeue_after is None or plan.requeue_after.total_seconds() > 60
