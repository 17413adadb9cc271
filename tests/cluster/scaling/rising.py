"""A load that rises through the whole of a rollout, and a canary that is promoted in the middle of it."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.scaling.scene import PATIENCE, Place, changed, clients_for, holding
from cluster_kit import eventually
from scale_writes import ScaleWrites

BEFORE, BETWEEN, AFTER = 2, 3, 5


@dataclass(frozen=True)
class Rising:
    old: str
    new: str
    writes: ScaleWrites
    lost: list[str]


def rise(place: Place, strategy: str) -> Rising:
    """One client more with each look of the autoscaler."""
    manifest = holding(f"rising-{strategy.lower()}", strategy)
    with place.under_load(manifest) as scene:
        scene.load.clients = clients_for(BEFORE)
        scene.serves_with(BEFORE)
        [old] = scene.deployments()
        place.kit.apply(changed(manifest))
        eventually(lambda: len(scene.deployments()) == 2, PATIENCE, scene.explain)
        [new] = set(scene.deployments()) - {old}
        if strategy == "Canary":
            scene.is_in("Analysing")
        for clients in range(scene.load.clients + 1, clients_for(AFTER) + 1):
            if strategy == "Canary" and clients == clients_for(BETWEEN) + 1:
                scene.promote()
            scene.load.clients = clients
            scene.looked_at(1)
        scene.has_moved(AFTER)
        return Rising(old, new, scene.writes(), scene.load.lost)
