"""Rollouts to start from, and what to ask of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from builders import POLICY, Cluster, make_pod, make_spec
from plimsoll_operator.names import ANNOTATION_REJECTED_BECAUSE, LABEL_REJECTED
from plimsoll_operator.observed import Manifest, Milestones, Observed, Pod
from plimsoll_operator.plan import Plan
from plimsoll_operator.reconcile import reconcile


def spec_of(version: int, replicas: int, strategy: str = "RollingUpdate", **rollout: Any) -> dict[str, Any]:
    """A fixed number of pods of one version of the model."""
    return make_spec(
        model={"uri": f"pvc://models/v{version}"},
        scaling={"minReplicas": replicas, "provider": "None"},
        rollout={"strategy": strategy, **rollout},
    )


def autoscaled_spec_of(version: int, strategy: str = "RollingUpdate", **rollout: Any) -> dict[str, Any]:
    """One to eight pods of one version of the model, as the autoscaler decides."""
    return make_spec(model={"uri": f"pvc://models/v{version}"}, rollout={"strategy": strategy, **rollout})


def settled(replicas: int, gpus: int, strategy: str = "RollingUpdate") -> Cluster:
    cluster = Cluster(spec_of(1, replicas, strategy), gpus)
    cluster.settle()
    return cluster


def autoscaled(replicas: int, gpus: int = 100, strategy: str = "RollingUpdate") -> Cluster:
    """Version 1 at rest, with as many pods as its load asks for."""
    cluster = Cluster(autoscaled_spec_of(1, strategy), gpus)
    cluster.demand = replicas
    cluster.settle()
    return cluster


def at_rest(spec: Manifest | None = None) -> Cluster:
    """Settled, and the window after it is over."""
    cluster = Cluster(spec or make_spec())
    cluster.settle()
    cluster.now += timedelta(hours=1)
    cluster.settle()
    return cluster


def condition(state: Observed, kind: str) -> dict[str, Any]:
    return next(dict(c) for c in state.owner.status["conditions"] if c["type"] == kind)


def autoscaler_of(state: Observed) -> Manifest:
    [autoscaler] = [live for key, live in state.children.items() if key.kind == "HorizontalPodAutoscaler"]
    return autoscaler


def version_of(state: Observed, deployment: str) -> str:
    """The version of the model that a Deployment runs, such as v2."""
    [revision] = [revision for revision in state.revisions if revision.name == deployment]
    return str(revision.input["model"]["uri"]).rpartition("/")[2]


def delete(cluster: Cluster, kind: str) -> None:
    """As `kubectl delete` of every child of one kind."""
    cluster.store({key: live for key, live in cluster.observed.children.items() if key.kind != kind})


def watched_start(*seen: int) -> Manifest:
    """Status of an object whose pod was looked at in these seconds of its life: by default each one that counts.

    It has a node in second 2, runs in second 5, has its weights in second 30 and is ready in second 40.
    """
    cluster = at_rest(spec_of(1, 1))
    [workload] = cluster.observed.workloads.values()
    for second in seen or (0, 2, 5, 30, 40):
        pod = starting_pod(workload.revision, second, began=cluster.now)
        watched = replace(workload, pods=(pod,))
        cluster.observed = replace(cluster.observed, workloads={workload.revision: watched})
        look(cluster, seconds(second))
    return cluster.observed.owner.status


def look(cluster: Cluster, after: timedelta = timedelta()) -> Plan:
    """A reconcile so long after now whose status is stored and nothing else."""
    plan = reconcile(cluster.observed, POLICY, cluster.now + after)
    owner = cluster.observed.owner
    cluster.observed = replace(cluster.observed, owner=replace(owner, status=plan.status or owner.status))
    return plan


def starting_pod(revision: str, second: int, began: datetime, **fields: Any) -> Pod:
    """That pod, so many seconds after it began."""

    def since(reached: int) -> datetime | None:
        return began + seconds(reached) if second >= reached else None

    milestones = Milestones(began, since(2), since(5), started=second >= 30, ready_changed=since(40) or began)
    return make_pod(revision, **{"ready": second >= 40, "scheduled": second >= 2, "milestones": milestones} | fields)


def seconds(count: int) -> timedelta:
    return timedelta(seconds=count)


def reject(cluster: Cluster, revision: str, because: str = "Errors: 12 of 400 requests failed") -> None:
    """Take a revision back, as an operator would have decided it."""

    def marked(live: Manifest) -> Manifest:
        metadata = live["metadata"]
        labels = {**metadata["labels"], LABEL_REJECTED: "true"}
        annotations = {**metadata["annotations"], ANNOTATION_REJECTED_BECAUSE: because}
        return {**live, "metadata": {**metadata, "labels": labels, "annotations": annotations}}

    children = cluster.observed.children
    [key] = [key for key in children if key.kind == "ControllerRevision" and key.name.endswith(revision)]
    cluster.store({**children, key: marked(children[key])})
