"""A load that rises slowly, then at once, then ends; and what the autoscaler made of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from cluster.scaling.scene import Place, Scene, clients_for, holding
from plimsoll_operator.names import SATURATION_METRIC
from scale_writes import ScaleWrites

RAMP = (2, 3)
MOST = 6
BURST_CLIENTS = 2 * clients_for(MOST)

MEAN_SECONDS = 10
"""Over which the holding server's saturation is taken."""
LATER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Following:
    """`rounds` of the autoscaler, by the pods wanted, from when a new load showed wholly in every pod's metric."""

    rounds: dict[int, int]
    writes: ScaleWrites
    idle_at: datetime
    lost: list[str]


def follow(place: Place) -> Following:
    rounds = {}
    with place.under_load(holding("following", scaling={"maxReplicas": MOST})) as scene:
        place.kit.wait_for(scene.name, "ScalingActive", "True")
        for pods in (*RAMP, MOST):
            began = datetime.now(UTC)
            scene.load.clients = BURST_CLIENTS if pods == MOST else clients_for(pods)
            scene.serves_with(pods)
            reached = scene.writes().writes[-1].at
            rounds[pods] = scene.writes().rounds_between(_shown(scene, began), reached)
        idle_at = datetime.now(UTC)
        scene.load.clients = 0
        scene.serves_with(1)
        return Following(rounds, scene.writes(), idle_at, scene.load.lost)


def _shown(scene: Scene, since: datetime) -> datetime:
    """When each pod that there was `since` then had been asked for a mean that is wholly of the time after it."""
    whole = since + timedelta(seconds=MEAN_SECONDS)
    there = [times for times in _samples(scene).values() if times[0] <= since]
    return max(next((time for time in times if time >= whole), LATER) for times in there)


def _samples(scene: Scene) -> dict[str, list[datetime]]:
    """When Prometheus asked each pod."""
    query = (
        f'{SATURATION_METRIC}{{inference_namespace="{scene.place.kit.namespace}",inference_deployment="{scene.name}"}}'
    )
    answer = httpx.get(f"{scene.place.sandbox.prometheus_url}/api/v1/query", params={"query": f"{query}[10m]"})
    found: dict[str, list[datetime]] = defaultdict(list)
    for series in answer.json()["data"]["result"]:
        found[series["metric"]["replica"]] += [datetime.fromtimestamp(at, UTC) for at, _ in series["values"]]
    return found
