"""Objects of one InferenceDeployment as the apiserver returns them: say only what a test is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plimsoll_operator.cluster import kinds
from plimsoll_operator.observed import Manifest

HASH = "eaa8f974a8"
OWNED = [{"uid": "uid-1", "controller": True, "name": "domains"}]
LABELS = {"plimsoll.dev/name": "domains", "plimsoll.dev/revision": HASH}


def make_child(kind: kinds.Kind, name: str, **fields: Any) -> dict[str, Any]:
    """A child that the owner controls."""
    metadata = {"name": name, "uid": f"uid-of-{name}", "labels": LABELS, "ownerReferences": OWNED}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": metadata | fields.pop("metadata", {}),
    } | fields


def make_deployment(**fields: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"plimsoll.dev/name": "domains", "plimsoll.dev/revision": HASH}}
    spec = {"selector": selector, **fields.pop("spec", {"replicas": 2})}
    return make_child(kinds.DEPLOYMENT, f"domains-{HASH}", spec=spec, **fields)


def make_revision(**fields: Any) -> dict[str, Any]:
    ordinary = {
        "metadata": {"creationTimestamp": "2026-05-04T03:00:00Z"},
        "revision": 3,
        "data": {"input": {"model": {}}, "template": {"spec": {}}},
    }
    return make_child(kinds.CONTROLLER_REVISION, f"domains-{HASH}", **(ordinary | fields))


def make_pod(
    name: str = "p", node: str = "node-1", container: Mapping[str, Any] | None = None, **status: Any
) -> Manifest:
    container_statuses = [{"name": "server", **container}] if container else []
    return {
        "metadata": {"name": name, "labels": LABELS},
        "spec": {"nodeName": node} if node else {},
        "status": {"phase": "Running", "containerStatuses": container_statuses} | status,
    }
