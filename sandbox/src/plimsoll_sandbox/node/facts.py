"""What a pod may ask about itself: the fields and resources of the downward API."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from plimsoll_sandbox.node.quantity import parse_quantity
from plimsoll_sandbox.node.spec.containers import Container
from plimsoll_sandbox.node.spec.pods import Pod
from plimsoll_sandbox.node.spec.variables import FieldRef, ResourceRef

_ENTRY = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")


@dataclass(frozen=True)
class Facts:
    """A pod, its address, and the node it runs on."""

    pod: Pod
    pod_address: str
    node_address: str
    allocatable: Mapping[str, str]

    def field(self, reference: FieldRef) -> str:
        """The field's value; the empty string for a label or annotation that is not there."""
        entry = _ENTRY.fullmatch(reference.path)
        if entry is not None:
            table = self.pod.labels if entry[1] == "labels" else self.pod.annotations
            return table.get(entry[2], "")
        return self._fields()[reference.path]

    def resource(self, reference: ResourceRef, container: Container) -> str:
        """A limit or request divided by the divisor, rounded up. Without a limit, what the node has is the limit."""
        kind, _, name = reference.resource.partition(".")
        declared = container.limits if kind == "limits" else container.requests
        amount = declared.get(name) or (self.allocatable.get(name, "0") if kind == "limits" else "0")
        return str(math.ceil(parse_quantity(amount) / parse_quantity(reference.divisor)))

    def named_container(self, reference: ResourceRef) -> Container:
        """The container that a downward API file speaks of."""
        return next(container for container in self.pod.all_containers if container.name == reference.container)

    def _fields(self) -> Mapping[str, str]:
        return {
            "metadata.name": self.pod.name,
            "metadata.namespace": self.pod.namespace,
            "metadata.uid": self.pod.uid,
            "metadata.labels": _lines(self.pod.labels),
            "metadata.annotations": _lines(self.pod.annotations),
            "spec.nodeName": self.pod.node,
            "spec.serviceAccountName": self.pod.service_account,
            "status.podIP": self.pod_address,
            "status.podIPs": self.pod_address,
            "status.hostIP": self.node_address,
            "status.hostIPs": self.node_address,
        }


def _lines(table: Mapping[str, str]) -> str:
    """key="value" lines, quoted and sorted, as the kubelet writes them into files."""
    return "\n".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sorted(table.items()))
