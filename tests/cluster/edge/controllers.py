"""What controllers and kubelets would do about an InferenceDeployment's pods, on an apiserver without any."""

from __future__ import annotations

from dataclasses import dataclass

from api_client import Api, Object
from cluster_kit import eventually
from plimsoll_operator.cluster import kinds

READY = {
    "phase": "Running",
    "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
}


@dataclass(frozen=True)
class Controllers:
    """`act` brings the pods of one InferenceDeployment to where its Deployments want them, each of them ready."""

    api: Api
    name: str

    @property
    def labels(self) -> str:
        return f"plimsoll.dev/name={self.name}"

    def act(self) -> None:
        deployments = self.api.select(kinds.DEPLOYMENT, self.labels)
        wanted = {f"{found['metadata']['name']}-{n}": found for found in deployments for n in range(_replicas(found))}
        there = {pod["metadata"]["name"] for pod in self.api.select(kinds.POD, self.labels)}
        for gone in there - wanted.keys():
            path = kinds.POD.path(self.api.namespace, gone)
            self.api.ask("DELETE", path, {"gracePeriodSeconds": "0"})
        for new in wanted.keys() - there:
            template = wanted[new]["spec"]["template"]
            metadata = {"name": new, "labels": template["metadata"]["labels"]}
            self.api.create(kinds.POD, {"metadata": metadata, "spec": template["spec"] | {"nodeName": "somewhere"}})
            self.api.merge(kinds.POD, new, {"status": READY}, "status")

    def until_ready(self, deadline: float = 40) -> None:
        """Act until the newest generation is rolled out, and nothing of an older one is left."""

        def settled() -> bool:
            self.act()
            found = self.api.get(kinds.INFERENCE_DEPLOYMENT, self.name)
            conditions = {c["type"]: c for c in found.get("status", {}).get("conditions", [])}
            ready = conditions.get("Ready", {})
            current = ready.get("observedGeneration") == found["metadata"]["generation"]
            alone = len(self.api.select(kinds.DEPLOYMENT, self.labels)) == 1
            return current and alone and ready.get("status") == "True"

        eventually(settled, deadline, lambda: str(self.api.get(kinds.INFERENCE_DEPLOYMENT, self.name).get("status")))


def _replicas(deployment: Object) -> int:
    count: int = deployment["spec"]["replicas"]
    return count
