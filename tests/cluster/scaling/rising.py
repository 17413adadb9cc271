"""A load that rises through the whole of a rollout."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.scaling.scene import PATIENCE, Place, Scene, changed, clients_for, holding
from cluster_kit import eventually
from scale_writes import ScaleWrites

BEFORE, AFTER = 2, 5


@dataclass(frozen=True)
class Rising:
    old: str
    new: str
    writes: ScaleWrites
    lost: list[str]


def rise(place: Place, strategy: str) -> Rising:
    manifest = holding(f"rising-{strategy.lower()}", strategy)
    with place.under_load(manifest) as scene:
        scene.load.clients = clients_for(BEFORE)
        scene.serves_with(BEFORE)
        [old] = scene.deployments()
        place.kit.apply(changed(manifest))
        eventually(lambda: len(scene.deployments()) == 2, PATIENCE, scene.explain)
        [new] = set(scene.deployments()) - {old}
        _raise_the_load(scene)
        scene.has_moved(AFTER)
        return Rising(old, new, scene.writes(), scene.load.lost)


def _raise_the_load(scene: Scene) -> None:
    """One client more with each look of the autoscaler."""
    while scene.load.clients < clients_for(AFTER):
        scene.load.clients += 1
        scene.rounds_pass(1)
