"""A load that rises slowly, then at once, then ends; and what the autoscaler made of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from cluster.scaling.scene import TARGET_PERCENT, Place, Scene, clients_for, holding
from plimsoll_operator.names import SATURATION_METRIC
from scale_writes import ScaleWrites

RAMP = (2, 3)
MOST = 6
BURST_CLIENTS = 2 * clients_for(MOST)

MEAN_SECONDS = 10
"""Over which the holding server's saturation is taken."""
LATER = datetime.max.replace(tzinfo=UTC)
ASKS_FOR_MORE = 1.1 * TARGET_PERCENT / 100
"""Within a tenth of the target nothing changes, as Kubernetes has it."""

Samples = dict[str, list[tuple[datetime, float]]]


@dataclass(frozen=True)
class Rise:
    """One more load. The signal `crossed` when Prometheus first had a mean that asks for more pods than there were."""

    pods: int
    crossed: datetime
    asked: datetime
    ready: datetime
    looks: int
    """Of the autoscaler, from when the whole of the load showed in every pod's metric until all pods were asked for."""


@dataclass(frozen=True)
class Following:
    rises: dict[int, Rise]
    """By the pods wanted."""
    writes: ScaleWrites
    idle_at: datetime
    lost: list[str]


def follow(place: Place, name: str = "following") -> Following:
    with place.under_load(holding(name, scaling={"maxReplicas": MOST})) as scene:
        place.kit.wait_for(scene.name, "ScalingActive", "True")
        rises = {pods: _rise(scene, pods) for pods in (*RAMP, MOST)}
        idle_at = datetime.now(UTC)
        scene.load.clients = 0
        scene.serves_with(1)
        return Following(rises, scene.writes(), idle_at, scene.load.lost)


def _rise(scene: Scene, pods: int) -> Rise:
    began = datetime.now(UTC)
    scene.load.clients = BURST_CLIENTS if pods == MOST else clients_for(pods)
    scene.serves_with(pods)
    ready = datetime.now(UTC)
    writes = scene.writes()
    raised = [write.at for write in writes.writes if write.raises and write.at > began]
    samples = {pod: series for pod, series in _samples(scene).items() if series[0][0] <= raised[0]}
    looks = writes.rounds_between(_shown(samples, began), raised[-1])
    return Rise(pods, _crossed(samples, began), raised[0], ready, looks)


def _shown(samples: Samples, since: datetime) -> datetime:
    """When each of these pods had been asked for a mean that is wholly of the time after `since`."""
    whole = since + timedelta(seconds=MEAN_SECONDS)
    return max(next((time for time, _ in series if time >= whole), LATER) for series in samples.values())


def _crossed(samples: Samples, since: datetime) -> datetime:
    latest: dict[str, float] = {}
    for time, pod, value in sorted((time, pod, value) for pod, series in samples.items() for time, value in series):
        latest[pod] = value
        if time > since and sum(latest.values()) / len(samples) > ASKS_FOR_MORE:
            return time
    raise AssertionError(f"the signal never rose: {samples}")


def _samples(scene: Scene) -> Samples:
    """What Prometheus has of each pod, and when it asked."""
    selector = f'{{inference_namespace="{scene.place.kit.namespace}",inference_deployment="{scene.name}"}}'
    parameters = {"query": f"{SATURATION_METRIC}{selector}[10m]"}
    answer = httpx.get(f"{scene.place.sandbox.prometheus_url}/api/v1/query", params=parameters)
    found: Samples = defaultdict(list)
    for series in answer.json()["data"]["result"]:
        found[series["metric"]["replica"]] += [
            (datetime.fromtimestamp(at, UTC), float(v)) for at, v in series["values"]
        ]
    return found
