"""What a namespace holds, without what the apiserver and its controllers assign: to compare one with another."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any

from api_client import Api, Object
from plimsoll_operator.cluster.kinds import Kind

NOT_KEPT = {"Event", "Endpoints", "EndpointSlice", "PodMetrics", "Lease"}
"""Kinds that others write about an object and clear away by themselves."""
COUNTED = {"Pod"}
"""Kinds whose names are random: how many there are is all that can be compared."""
ASSIGNED = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "namespace")
ASSIGNED_ADDRESSES = ("clusterIP", "clusterIPs")
ASSIGNED_ANNOTATIONS = ("plimsoll.dev/applied-hash", "deployment.kubernetes.io/revision")


def namespaced_kinds(api: Api) -> list[Kind]:
    """Every kind of namespaced object that the apiserver lists, whoever serves it; of each the preferred version."""
    found = _kinds(api, "v1", "/api/v1")
    for group in api.ask("GET", "/apis")["groups"]:
        version = group["preferredVersion"]["groupVersion"]
        found += _kinds(api, version, f"/apis/{version}")
    return found


def _kinds(api: Api, version: str, path: str) -> list[Kind]:
    return [
        Kind(version, resource["kind"], resource["name"])
        for resource in api.ask("GET", path)["resources"]
        if resource["namespaced"] and "list" in resource["verbs"] and resource["kind"] not in NOT_KEPT
    ]


def everything(api: Api, kinds: list[Kind]) -> dict[tuple[str, str], Object]:
    """Every object of the namespace by kind and name."""
    return {(kind.kind, item["metadata"]["name"]): item for kind in kinds for item in api.select(kind)}


def masked(manifest: Object) -> Object:
    """Without what is assigned to it; of a status nothing is left."""
    plain = copy.deepcopy(manifest)
    plain.pop("status", None)
    metadata = plain["metadata"]
    for field in ASSIGNED:
        metadata.pop(field, None)
    for annotation in ASSIGNED_ANNOTATIONS:
        metadata.get("annotations", {}).pop(annotation, None)
    for reference in metadata.get("ownerReferences", ()):
        reference.pop("uid", None)
    if plain["kind"] == "Service":
        for field in ASSIGNED_ADDRESSES:
            plain["spec"].pop(field, None)
    return plain


def what_stands(found: dict[tuple[str, str], Object]) -> dict[Any, Any]:
    """Each object masked, and how many pods there are of each revision."""
    stands: dict[Any, Any] = {key: masked(item) for key, item in found.items() if key[0] not in COUNTED}
    pods = [item["metadata"]["labels"].get("plimsoll.dev/revision") for key, item in found.items() if key[0] in COUNTED]
    return stands | {"pods": Counter(pods)}


def what_is_told(owner: Object) -> Any:
    """The status without times, and without what the autoscaler finds out in its own time."""
    status = owner.get("status", {})
    rollout = status.get("rollout", {})
    return {
        "conditions": {
            found["type"]: (found["status"], found["reason"], found["observedGeneration"])
            for found in status.get("conditions", ())
            if found["type"] != "ScalingActive"
        },
        "rollout": {field: rollout.get(field) for field in ("phase", "stable", "canary")},
        "revisions": [{**found, "createdAt": None} for found in status.get("revisions", ())],
        "replicas": (status.get("replicas"), status.get("readyReplicas")),
    }


def difference(found: Object, wanted: Object) -> str:
    """Where two manifests differ, each with what it holds there."""
    return "; ".join(_differences(masked(found), masked(wanted), ""))


def _differences(found: Any, wanted: Any, path: str) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in {**found, **wanted}:
            yield from _differences(found.get(name), wanted.get(name), f"{path}.{name}")
    elif found != wanted:
        yield f"{path.lstrip('.')}: {found!r} instead of {wanted!r}"
