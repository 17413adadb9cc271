"""Rollouts to start from, and what to ask of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from builders import Cluster, make_spec
from plimsoll_operator.observed import Manifest, Observed


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
