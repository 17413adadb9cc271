"""A revision that takes over while the autoscaler remembers how little the one before it had to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cluster.scaling.scene import WINDOW_SECONDS, Place, changed, clients_for, holding
from scale_writes import ScaleWrites

PODS = 3
ROUNDS = WINDOW_SECONDS // 5 + 4
"""Of the autoscaler: until the metric has fallen, and then more than its window holds."""


@dataclass(frozen=True)
class Heir:
    deployment: str
    finished_at: datetime
    writes: ScaleWrites


def inherit(place: Place) -> Heir:
    """The load ends while a canary is judged, and the canary is promoted when the autoscaler knows no other time."""
    manifest = holding("heir", "Canary")
    with place.under_load(manifest) as scene:
        scene.load.clients = clients_for(PODS)
        scene.serves_with(PODS)
        place.kit.apply(changed(manifest))
        scene.is_in("Analysing")
        scene.load.clients = 0
        scene.looked_at(ROUNDS)
        scene.promote()
        scene.has_moved(PODS)
        [deployment] = scene.deployments()
        finished_at = datetime.fromisoformat(scene.rollout["finishedAt"])
        scene.serves_with(1)
        return Heir(deployment, finished_at, scene.writes())
