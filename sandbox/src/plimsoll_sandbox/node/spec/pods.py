"""One pod as the API has it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plimsoll_sandbox.node.spec.containers import Container, parse_container
from plimsoll_sandbox.node.spec.volumes import Volume, parse_volume


@dataclass(frozen=True)
class Pod:
    """`deletion_seconds` is None unless the pod is being deleted, and then the grace its containers have."""

    uid: str
    name: str
    namespace: str
    node: str
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    generation: int = 1
    service_account: str = "default"
    restart_policy: str = "Always"
    grace_seconds: float = 30
    deletion_seconds: float | None = None
    service_links: bool = True
    readiness_gates: tuple[str, ...] = ()
    status: Mapping[str, Any] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def phase(self) -> str:
        phase: str = self.status.get("phase", "Pending")
        return phase

    @property
    def all_containers(self) -> tuple[Container, ...]:
        return (*self.init_containers, *self.containers)

    @property
    def sidecars(self) -> frozenset[str]:
        return frozenset(container.name for container in self.init_containers if container.is_sidecar)

    def condition_is_true(self, kind: str) -> bool:
        conditions = self.status.get("conditions", ())
        return any(found["type"] == kind and found["status"] == "True" for found in conditions)


def parse_pod(value: Mapping[str, Any]) -> Pod:
    metadata, spec = value["metadata"], value["spec"]
    grace = spec.get("terminationGracePeriodSeconds", 30)
    deleted = "deletionTimestamp" in metadata
    return Pod(
        uid=metadata["uid"],
        name=metadata["name"],
        namespace=metadata["namespace"],
        node=spec.get("nodeName", ""),
        containers=tuple(map(parse_container, spec["containers"])),
        init_containers=tuple(map(parse_container, spec.get("initContainers", ()))),
        volumes=tuple(map(parse_volume, spec.get("volumes", ()))),
        labels=metadata.get("labels", {}),
        annotations=metadata.get("annotations", {}),
        generation=metadata.get("generation", 1),
        service_account=spec.get("serviceAccountName", "default"),
        restart_policy=spec.get("restartPolicy", "Always"),
        grace_seconds=grace,
        deletion_seconds=metadata.get("deletionGracePeriodSeconds", grace) if deleted else None,
        service_links=spec.get("enableServiceLinks", True),
        readiness_gates=tuple(gate["conditionType"] for gate in spec.get("readinessGates", ())),
        status=value.get("status", {}),
    )
