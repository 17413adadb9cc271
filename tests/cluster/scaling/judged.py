"""A canary under judgement: overloaded itself, then beside an idle stable revision, then beside one short of pods."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cluster.scaling.scene import PATIENCE, WINDOW_SECONDS, Place, Scene, changed, clients_for, holding
from cluster_kit import eventually
from held_requests import held_requests
from scale_writes import ScaleWrites

BEFORE, SHORT = 2, 4
ROUNDS = WINDOW_SECONDS // 5 + 2
"""Of the autoscaler: more than its window holds."""


@dataclass(frozen=True)
class Judged:
    stable: str
    canary: str
    overloaded: tuple[datetime, datetime]
    idle: tuple[datetime, datetime]
    promoted_at: datetime
    writes: ScaleWrites
    lost: list[str]


def judge(place: Place) -> Judged:
    manifest = holding("judged", "Canary")
    with place.under_load(manifest) as scene:
        scene.load.clients = clients_for(BEFORE)
        scene.serves_with(BEFORE)
        [stable] = scene.deployments()
        place.kit.apply(changed(manifest))
        scene.is_in("Analysing")
        [canary] = set(scene.deployments()) - {stable}
        overloaded = _overload(scene)
        scene.load.clients = 0
        idle = scene.looked_at(ROUNDS)
        scene.load.clients = clients_for(SHORT + 1)
        eventually(lambda: scene.deployments()[stable][1] >= SHORT, PATIENCE, scene.explain)
        promoted_at = scene.promote()
        scene.has_moved(SHORT)
        return Judged(stable, canary, overloaded, idle, promoted_at, scene.writes(), scene.load.lost)


def _overload(scene: Scene) -> tuple[datetime, datetime]:
    """Far more for the canary than it may carry, past the Service: its share of that is no cause to add pods."""
    [address] = [
        pod["status"]["podIP"]
        for pod in scene.place.kit.pods(scene.name)
        if pod["metadata"]["labels"]["plimsoll.dev/revision"] == scene.rollout["canary"]
    ]
    with held_requests(f"http://{address}:8080") as direct:
        direct.clients = clients_for(SHORT)
        return scene.looked_at(ROUNDS)
