"""Many InferenceDeployments, as several teams would have them: created, changed and asked about all at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cluster_kit import Kit
from scale.simulated_nodes import PROFILE

TEAM = 20
"""Objects per namespace."""

Object = dict[str, Any]


@dataclass(frozen=True)
class Fleet:
    """`size` objects named scale-0000 and so on, in namespaces named team-00 and so on."""

    kit: Kit
    size: int

    def make_namespaces(self) -> None:
        namespaces = sorted({_namespace(number) for number in range(self.size)})
        self._apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in namespaces)

    def put(self, memory_percent: int) -> None:
        """Create all objects, or change all of them in a way that replaces every pod."""
        self._apply(_manifest(number, memory_percent) for number in range(self.size))

    def wait_until_ready(self, deadline_seconds: float) -> list[Object]:
        """The objects, once each is Ready in its present generation."""
        end = time.monotonic() + deadline_seconds
        while True:
            found = self.objects()
            waiting = [each for each in found if not _is_ready(each)]
            if len(found) == self.size and not waiting:
                return found
            if time.monotonic() > end:
                raise AssertionError(_explained(len(found), waiting, self.size, deadline_seconds))
            time.sleep(1)

    def objects(self) -> list[Object]:
        items: list[Object] = json.loads(self._kubectl("get", "infd", "-A", "-o", "json"))["items"]
        return items

    def _apply(self, manifests: Iterator[Object]) -> None:
        # Server-side: the client's own way asks for each object before and after.
        self._kubectl("apply", "--server-side", "-f", "-", stdin="\n".join(map(json.dumps, manifests)))

    def _kubectl(self, *argv: str, stdin: str | None = None) -> str:
        return self.kit.kubectl(*argv, stdin=stdin, deadline=600)


def seconds_to_ready(fleet: list[Object], since: Callable[[Object], datetime]) -> list[float]:
    """Per object from `since` to its Ready condition's transition, by the API's own clock of whole seconds."""
    return [max(0.0, (_stamp(_ready(each)["lastTransitionTime"]) - since(each)).total_seconds()) for each in fleet]


def created(found: Object) -> datetime:
    return _stamp(found["metadata"]["creationTimestamp"])


def _stamp(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _namespace(number: int) -> str:
    return f"team-{number // TEAM:02d}"


def _manifest(number: int, memory_percent: int) -> Object:
    return {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "InferenceDeployment",
        "metadata": {"name": f"scale-{number:04d}", "namespace": _namespace(number)},
        "spec": {
            "model": {"uri": "hf://org/modernbert-base-32k:" + "0" * 40, "shape": "modernbert-base"},
            "gpu": {"profile": PROFILE},
            "tiers": [
                {"name": "short", "maxTokens": 512, "concurrency": 32},
                {"name": "medium", "maxTokens": 4096, "concurrency": 4},
                {"name": "long", "maxTokens": 32768, "concurrency": 1},
            ],
            "server": {"memoryUtilizationPercent": memory_percent},
            # Until this is over after a rollout the autoscaler may not shrink: its object changes once more then.
            "scaling": {"scaleDownStabilization": "10s"},
            # All of them at once, and none has a request to be judged by.
            "rollout": {"strategy": "RollingUpdate"},
        },
    }


def _ready(found: Object) -> Object:
    conditions: list[Object] = found.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == "Ready"), {})


def _is_ready(found: Object) -> bool:
    ready = _ready(found)
    return ready.get("status") == "True" and ready["observedGeneration"] == found["metadata"]["generation"]


def _explained(found: int, waiting: list[Object], size: int, deadline: float) -> str:
    first = [f"{each['metadata']['name']}: {_ready(each)}" for each in waiting[:3]]
    return f"after {deadline:.0f} s {found} of {size} objects are there and {len(waiting)} are not Ready: {first}"
