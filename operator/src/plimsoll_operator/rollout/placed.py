"""How many pods have a node, and for how long it has been as many: what the GPUs there are can carry.

An autoscaler may want more pods than there are GPUs, and a node may be lost: a rollout that waited for as many as are
wanted would never end. But a GPU that a pod has just left is one that the next pod has not been given yet. So the count
is taken for what there is only once it has stood for a while.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from plimsoll_operator.conditions import timestamp
from plimsoll_operator.observed import Manifest, Workload

SETTLED = timedelta(seconds=30)
"""A scheduler that backs off gives a free GPU to a pod that waits within ten seconds."""


@dataclass(frozen=True)
class Placed:
    """Pods with a node that are not told to end, and since when there are so many."""

    replicas: int
    since: datetime

    def has_settled(self, now: datetime) -> bool:
        return now - self.since >= SETTLED


def with_a_node(workloads: Iterable[Workload]) -> int:
    return sum(min(w.replicas, sum(p.scheduled and not p.terminating for p in w.pods)) for w in workloads)


def placed_now(workloads: Iterable[Workload], stored: Manifest, now: datetime) -> Placed:
    """Counted from now on where it has changed, and while a pod that was told to end still has its GPU."""
    found = tuple(workloads)
    replicas = with_a_node(found)
    leaving = any(len(workload.pods) > workload.replicas for workload in found)
    since = stored.get("placedSince")
    if leaving or since is None or stored.get("placedReplicas") != replicas:
        return Placed(replicas, now)
    return Placed(replicas, datetime.fromisoformat(since))


def render_placed(placed: Placed) -> dict[str, Any]:
    """For `status.rollout`."""
    return {"placedReplicas": placed.replicas, "placedSince": timestamp(placed.since)}
