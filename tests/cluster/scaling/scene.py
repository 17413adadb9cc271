"""An object that scales by what its pods really hold, with a load, and every number of replicas that was asked for."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api_client import Api
from cluster_kit import Kit, eventually
from held_requests import Load, held_requests
from light_server import light, ready
from plimsoll_operator.cluster.kinds import AUTOSCALER, DEPLOYMENT, INFERENCE_DEPLOYMENT
from plimsoll_sandbox.sandbox import Sandbox
from scale_writes import ScaleLog, ScaleWrites

HOLDING_IMAGE = "test/holding-server:1"
CONCURRENCY = 4
TARGET_PERCENT = 70
WINDOW_SECONDS = 10
"""For a scale-down; two rounds of the sandbox's autoscaler."""
PATIENCE = 150


def clients_for(pods: int) -> int:
    """As many as want so many pods, and no other number because one of them is between two requests."""
    return round((pods - 0.5) * CONCURRENCY * TARGET_PERCENT / 100)


def holding(name: str, strategy: str = "RollingUpdate", **sections: Any) -> dict[str, Any]:
    scaling = {
        "maxReplicas": 8,
        "targetSaturationPercent": TARGET_PERCENT,
        "scaleDownStabilization": f"{WINDOW_SECONDS}s",
        **sections.pop("scaling", {}),
    }
    server = {"image": HOLDING_IMAGE, **sections.pop("server", {})}
    tiers = [{"name": "short", "maxTokens": 512, "concurrency": CONCURRENCY}]
    rollout = {"strategy": strategy, **sections.pop("rollout", {})}
    return light(name, tiers=tiers, scaling=scaling, server=server, rollout=rollout, **sections)


def changed(manifest: dict[str, Any]) -> dict[str, Any]:
    """The same with other pods."""
    other = copy.deepcopy(manifest)
    other["spec"]["server"]["memoryUtilizationPercent"] = 80
    return other


@dataclass(frozen=True)
class Scene:
    """One object under load."""

    name: str
    place: Place
    load: Load

    @property
    def rollout(self) -> dict[str, Any]:
        status: dict[str, Any] = self.place.api.get(INFERENCE_DEPLOYMENT, self.name).get("status", {})
        return dict(status.get("rollout", {}))

    @property
    def autoscaler(self) -> dict[str, Any]:
        return self.place.api.get(AUTOSCALER, self.name)

    @property
    def may_shrink(self) -> bool:
        return bool(self.autoscaler["spec"]["behavior"]["scaleDown"]["selectPolicy"] != "Disabled")

    def deployments(self) -> dict[str, tuple[int, int]]:
        """Pods asked for and pods ready, by Deployment."""
        found = self.place.api.select(DEPLOYMENT, f"plimsoll.dev/name={self.name}")
        return {
            item["metadata"]["name"]: (item["spec"]["replicas"], item.get("status", {}).get("readyReplicas", 0))
            for item in found
        }

    def serves_with(self, pods: int) -> None:
        """Wait until so many pods are asked for, and ready, in the only Deployment."""
        eventually(lambda: list(self.deployments().values()) == [(pods, pods)], PATIENCE, self.explain)

    def has_moved(self, pods: int) -> None:
        """Wait until one Deployment is left, and as many pods or more are ready in it, and none is missing."""

        def moved() -> bool:
            [(asked, ready), *others] = self.deployments().values()
            return not others and asked == ready >= pods and self.rollout.get("phase") == "Idle"

        eventually(moved, PATIENCE, self.explain)

    def writes(self) -> ScaleWrites:
        return self.place.scales.of(self.name)

    def looked_at(self, count: int) -> tuple[datetime, datetime]:
        """Wait until the autoscaler has looked so many more times: from when until when."""
        began = datetime.now(UTC)
        enough = len(self.writes().rounds) + count
        eventually(lambda: len(self.writes().rounds) >= enough, PATIENCE, self.explain)
        return began, datetime.now(UTC)

    def is_in(self, phase: str) -> None:
        """Wait until the rollout is."""
        eventually(lambda: self.rollout.get("phase") == phase, PATIENCE, self.explain)

    def promote(self) -> datetime:
        """As a person would, and when."""
        request = f"plimsoll.dev/rollout-request=promote@{self.rollout['canary']}#by-hand"
        asked = datetime.now(UTC)
        self.place.kit.kubectl("annotate", "infd", self.name, request)
        return asked

    def explain(self) -> str:
        seen = self.autoscaler
        told = [self.writes(), self.deployments(), seen["spec"], seen.get("status"), self.rollout, self.load]
        return "\n".join(map(str, told))


@dataclass(frozen=True)
class Place:
    """A namespace with an operator."""

    kit: Kit
    api: Api
    sandbox: Sandbox
    scales: ScaleLog

    @contextmanager
    def under_load(self, manifest: dict[str, Any]) -> Iterator[Scene]:
        """The object serves, with no client yet; it goes with the block."""
        name = manifest["metadata"]["name"]
        ready(self.kit, manifest, PATIENCE)
        try:
            with held_requests(self.sandbox.url(self.kit.namespace, name)) as load:
                yield Scene(name, self, load)
        finally:
            self.kit.kubectl("delete", "infd", name, "--ignore-not-found", "--wait=false")
