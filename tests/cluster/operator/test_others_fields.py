"""What others put on our children stays theirs, also when a field of ours is repaired beside it."""

from __future__ import annotations

from typing import Any

import pytest

from api_client import Api
from cluster.operator.hand_edits import REPAIR_SECONDS, Child, children_of
from cluster_kit import Kit, eventually
from light_server import light, ready
from plimsoll_operator.cluster.kinds import (
    AUTOSCALER,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    INFERENCE_DEPLOYMENT,
    NETWORK_POLICY,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

NAME = "shared"
OURS = "app.kubernetes.io/name"

# By admission webhooks, by `kubectl apply`, by other controllers.
THEIRS: list[tuple[str, Kind, dict[str, Any]]] = [
    ("injected label", SERVICE, {"metadata": {"labels": {"team": "search"}}}),
    ("injected annotation", SERVICE, {"metadata": {"annotations": {"mesh.example/inject": "yes"}}}),
    ("annotation of the autoscaler", AUTOSCALER, {"metadata": {"annotations": {"by-hand": "noted"}}}),
    ("affinity", SERVICE, {"spec": {"sessionAffinity": "ClientIP"}}),
    ("another port", SERVICE, {"spec": {"ports": [{"name": "debug", "port": 8888, "targetPort": 8888}]}}),
    ("pull secret of an identity", SERVICE_ACCOUNT, {"imagePullSecrets": [{"name": "registry"}]}),
    ("policy for sick pods", DISRUPTION_BUDGET, {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}}),
    ("replicas", DEPLOYMENT, {"spec": {"replicas": 2}}),
    ("pause", DEPLOYMENT, {"spec": {"paused": True}}),
    ("label of the history", CONTROLLER_REVISION, {"metadata": {"labels": {"audited": "yes"}}}),
    ("label of the policy", NETWORK_POLICY, {"metadata": {"labels": {"audited": "yes"}}}),
]


def test_what_others_add_is_never_touched(kit: Kit, api: Api) -> None:
    ready(kit, light(NAME))
    added = {title: add(api, number, kind, extra) for number, (title, kind, extra) in enumerate(THEIRS)}
    edited = children_of(api, NAME)
    for child in edited:
        api.merge(child.kind, child.name, {"metadata": {"labels": {OURS: "edited"}}})
    for child in edited:
        eventually(lambda child=child: ours(api, child) == "plimsoll-server", REPAIR_SECONDS)  # type: ignore[misc]
    for number, (title, kind, extra) in enumerate(THEIRS):
        live = only_child(api, kind).live
        assert holds(live, extra), title
        assert owned_by(live, f"other-{number}") == added[title], title
    api.delete(INFERENCE_DEPLOYMENT, NAME)


def add(api: Api, number: int, kind: Kind, extra: dict[str, Any]) -> Any:
    """Apply `extra` as somebody else. Which fields are theirs from now on."""
    metadata = {"name": only_child(api, kind).name, **extra.get("metadata", {})}
    body = {"apiVersion": kind.api_version, "kind": kind.kind, **extra, "metadata": metadata}
    return owned_by(api.apply(kind, body, manager=f"other-{number}"), f"other-{number}")


def only_child(api: Api, kind: Kind) -> Child:
    [child] = [child for child in children_of(api, NAME) if child.kind == kind]
    return child


def owned_by(live: dict[str, Any], manager: str) -> Any:
    [fields] = [entry["fieldsV1"] for entry in live["metadata"]["managedFields"] if entry["manager"] == manager]
    return fields


def ours(api: Api, child: Child) -> str:
    return str(api.get(child.kind, child.name)["metadata"]["labels"][OURS])


def holds(live: Any, wanted: Any) -> bool:
    """Whether everything of `wanted` is in `live`; of a list's entries each somewhere."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            name in live and holds(live[name], inner) for name, inner in wanted.items()
        )
    if isinstance(wanted, list):
        return all(any(holds(found, item) for found in live) for item in wanted)
    return bool(live == wanted)
