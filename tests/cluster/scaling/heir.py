"""A revision that takes over while the autoscaler remembers how little the one before it had to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cluster.scaling.scene import PATIENCE, WINDOW_SECONDS, Place, changed, clients_for, holding
from cluster_kit import eventually
from scale_writes import ScaleWrites

PODS = 3
ROUNDS_IN_THE_WINDOW = WINDOW_SECONDS // 5 + 2


@dataclass(frozen=True)
class Heir:
    deployment: str
    finished_at: datetime
    writes: ScaleWrites


def inherit(place: Place) -> Heir:
    """The load ends in the middle of a rollout that is held for longer than the window."""
    manifest = holding("heir")
    with place.under_load(manifest) as scene:
        scene.load.clients = clients_for(PODS)
        scene.serves_with(PODS)
        place.kit.apply(changed(manifest))
        eventually(lambda: not scene.may_shrink and len(scene.deployments()) == 2, PATIENCE, scene.explain)
        place.kit.patch("infd", scene.name, {"spec": {"rollout": {"paused": True}}})
        scene.load.clients = 0
        scene.rounds_pass(ROUNDS_IN_THE_WINDOW)
        place.kit.patch("infd", scene.name, {"spec": {"rollout": {"paused": False}}})
        scene.serves_with(PODS)
        finished = eventually(lambda: scene.rollout.get("finishedAt"), PATIENCE, scene.explain)
        deployment = next(iter(scene.deployments()))
        scene.serves_with(1)
        return Heir(deployment, datetime.fromisoformat(finished), scene.writes())
