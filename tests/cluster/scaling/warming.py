"""Pods that run, and tell that they have nothing to do, before they are ready."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.scaling.scene import PATIENCE, Place, clients_for, holding
from cluster_kit import eventually
from scale_writes import ScaleWrites

PODS = 3
LOOKS = 2
"""Of the autoscaler while they warm up."""


@dataclass(frozen=True)
class Warming:
    ready: int
    """When the autoscaler had looked so often."""
    writes: ScaleWrites


def warm(place: Place) -> Warming:
    model = {"uri": "hf://org/model:" + "0" * 40, "family": "slow"}
    with place.under_load(holding("warming", model=model)) as scene:
        scene.load.clients = clients_for(PODS)
        eventually(lambda: any(asked >= PODS for asked, _ in scene.deployments().values()), PATIENCE, scene.explain)
        scene.looked_at(LOOKS)
        [(_, ready)] = scene.deployments().values()
        return Warming(ready, scene.writes())
