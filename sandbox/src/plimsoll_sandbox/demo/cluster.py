"""The demo's cluster: what is installed on it, and the questions that the demo asks it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plimsoll_sandbox.demo.commands import Commands
from plimsoll_sandbox.demo.story import DemoError

SYSTEM_NAMESPACE = "plimsoll-system"
NAMESPACE = "guardrails"
NAME = "domains"


@dataclass(frozen=True)
class DemoCluster:
    """kubectl and helm against one sandbox."""

    commands: Commands
    kubectl_path: Path
    helm_path: Path

    def kubectl(self, *argv: str, deadline: float = 60, stdin: str | None = None) -> str:
        return self.commands.run(self.kubectl_path, *argv, deadline=deadline, stdin=stdin)

    def apply(self, *objects: dict[str, Any]) -> str:
        """Apply objects server-side, as GitOps tools do."""
        documents = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        return self.kubectl("apply", "--server-side", "-f", "-", stdin=documents)

    def helm(self, *argv: str, deadline: float = 180) -> str:
        return self.commands.run(self.helm_path, *argv, deadline=deadline)

    def deployment(self) -> dict[str, Any]:
        """The demo's InferenceDeployment as it stands."""
        text = self.kubectl("get", "inferencedeployment", NAME, "-n", NAMESPACE, "-o", "json")
        found: dict[str, Any] = json.loads(text)
        return found

    def changes_until_ready(self, deadline: float) -> Iterator[str]:
        """What the object says of itself, each time it says something new, until it is Ready. Raises DemoError."""
        end = time.monotonic() + deadline
        last = ""
        while time.monotonic() < end:
            conditions = _conditions(self.deployment())
            ready = conditions.get("Ready")
            said = f"Ready={ready['status']}  {ready['reason']}: {ready['message']}" if ready else ""
            if said and said != last:
                yield said
            last = said
            if ready and ready["status"] == "True":
                return
            if conditions.get("Stalled", {}).get("status") == "True":
                raise DemoError(
                    f"the InferenceDeployment is stalled: {conditions['Stalled']['message']}", self.commands.log
                )
            time.sleep(1)
        raise DemoError(
            f"the InferenceDeployment was not Ready within {deadline:.0f} s; it said: {last}", self.commands.log
        )


def _conditions(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By type; none while the object still tells of the spec before this one."""
    status = found.get("status", {})
    if status.get("observedGeneration") != found["metadata"]["generation"]:
        return {}
    return {condition["type"]: condition for condition in status.get("conditions", ())}


def model_volume(folder: Path, namespace: str = NAMESPACE, volume: str = "demo-models") -> tuple[dict[str, Any], ...]:
    """Namespace, volume and claim `models` through which its pods read models from `folder`.

    The pods are granted the restricted Pod Security Standard, enforced.
    """
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    size = {"storage": "1Gi"}
    claim = {"name": "models", "namespace": namespace}
    return (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": volume},
            "spec": {
                "accessModes": ["ReadOnlyMany"],
                "capacity": size,
                "claimRef": claim,
                "hostPath": {"path": str(folder), "type": "Directory"},
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": claim,
            "spec": {
                "accessModes": ["ReadOnlyMany"],
                "resources": {"requests": size},
                "storageClassName": "",
                "volumeName": volume,
            },
        },
    )
