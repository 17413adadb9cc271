"""Kubernetes JSON into the frozen types of `observed`. Pure: the shape of the API is known here and nowhere inside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from plimsoll_operator.conditions import moment_of
from plimsoll_operator.names import (
    ANNOTATION_APPLIED,
    FIELD_MANAGER,
    LABEL_MANAGED_BY,
    LABEL_NAME,
    LABEL_REVISION,
    SERVER_CONTAINER,
)
from plimsoll_operator.observed import MEMORY, Manifest, Milestones, Owner, Pack, Pod, Workload

LAST_WORDS = 300
"""Characters of a container's termination message that a condition quotes."""

BY_KUBELET = "TerminationByKubelet"
"""Reason of a pod's condition DisruptionTarget. Any other says that somebody else ended it, be it for a node."""

_SHORT_OF_MEMORY = f"low on resource: {MEMORY}"
_REFUSED = "The node had condition"
"""So begins the message of a pod that a node under pressure has not let in: it never ran."""

_PACK = re.compile(
    r'{"tier":"(?P<tier>[a-z0-9-]{1,32})","tokens":(?P<tokens>\d{1,9}),"sequences":(?P<sequences>\d{1,4})}'
)


def parse_owner(manifest: Manifest) -> Owner:
    metadata = manifest["metadata"]
    return Owner(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        resource_version=metadata["resourceVersion"],
        spec=manifest.get("spec", {}),
        status=manifest.get("status", {}),
        annotations=metadata.get("annotations", {}),
    )


def parse_workloads(deployments: Iterable[Manifest], pods: Iterable[Manifest]) -> dict[str, Workload]:
    """Deployments with their pods, by revision. Of those that ended for good only the evicted ones tell anything."""
    active: dict[str, list[Pod]] = {}
    evicted: dict[str, list[Pod]] = {}
    for manifest in pods:
        pod = parse_pod(manifest)
        if is_active(manifest):
            active.setdefault(pod.revision, []).append(pod)
        elif pod.evicted:
            evicted.setdefault(pod.revision, []).append(pod)
    workloads = [parse_workload(deployment, active, evicted) for deployment in deployments]
    return {workload.revision: workload for workload in workloads}


def parse_workload(
    deployment: Manifest, pods: Mapping[str, list[Pod]], evicted: Mapping[str, list[Pod]] = MappingProxyType({})
) -> Workload:
    name = deployment["metadata"]["name"]
    # By its selector, which cannot be edited as the label can.
    revision = deployment["spec"]["selector"]["matchLabels"][LABEL_REVISION]
    failure = _condition(deployment, "ReplicaFailure")
    return Workload(
        name=name,
        revision=revision,
        replicas=deployment["spec"].get("replicas", 1),
        pods=_by_name(pods.get(revision, ())),
        evicted=_by_name(evicted.get(revision, ())),
        replica_failure=failure.get("message", "") if failure.get("status") == "True" else "",
    )


def _by_name(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    return tuple(sorted(pods, key=lambda pod: pod.name))


def parse_pod(manifest: Manifest) -> Pod:
    metadata = manifest["metadata"]
    scheduled = _condition(manifest, "PodScheduled")
    placed = bool(manifest.get("spec", {}).get("nodeName"))
    container = _server_status(manifest)
    waiting = container.get("state", {}).get("waiting", {})
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated") or {}
    pack = parse_pack(ended.get("message", ""))
    evicted = _evicted(manifest)
    return Pod(
        name=metadata["name"],
        revision=_label(manifest, LABEL_REVISION),
        ready=_condition(manifest, "Ready").get("status") == "True",
        scheduled=placed,
        terminating="deletionTimestamp" in metadata,
        unschedulable=scheduled.get("message", "") if scheduled.get("status") == "False" and not placed else "",
        waiting_reason=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        restarts=container.get("restartCount", 0),
        last_exit_reason=ended.get("reason", ""),
        last_exit_code=ended.get("exitCode"),
        last_exit_message="" if pack else _one_line(ended.get("message", "")),
        last_exit_at=moment_of(ended.get("finishedAt")) or (_evicted_at(manifest) if evicted else None),
        last_run=_run(ended),
        last_pack=pack,
        milestones=_milestones(manifest, container),
        evicted=evicted,
    )


def _evicted(manifest: Manifest) -> str:
    """What the pod's kubelet ended it for the want of: what its node ran short of, or what it took more of than it may.

    A node that is shut down, or drained, and a pod that makes room for another one, have other reasons, and a pod that
    was never let in did nothing.
    """
    status = manifest.get("status", {})
    message = status.get("message", "")
    if (status.get("phase"), status.get("reason")) != ("Failed", "Evicted") or _REFUSED in message:
        return ""
    target = _condition(manifest, "DisruptionTarget")
    if target.get("status") == "True" and target.get("reason") != BY_KUBELET:
        return ""
    return MEMORY if _SHORT_OF_MEMORY in message else "other"


def _evicted_at(manifest: Manifest) -> datetime | None:
    """By what is there of it: a kubelet that lost sight of the container tells no time of its end."""
    told = [_condition(manifest, kind).get("lastTransitionTime") for kind in ("DisruptionTarget", "Ready")]
    return next(filter(None, map(moment_of, told)), moment_of(manifest["metadata"].get("creationTimestamp")))


def _run(ended: Manifest) -> timedelta | None:
    began, finished = moment_of(ended.get("startedAt")), moment_of(ended.get("finishedAt"))
    return None if began is None or finished is None else finished - began


def _milestones(manifest: Manifest, container: Manifest) -> Milestones | None:
    created = moment_of(manifest["metadata"].get("creationTimestamp"))
    if created is None:
        return None
    scheduled = _condition(manifest, "PodScheduled")
    return Milestones(
        created=created,
        scheduled=moment_of(scheduled.get("lastTransitionTime")) if scheduled.get("status") == "True" else None,
        running=moment_of(container.get("state", {}).get("running", {}).get("startedAt")),
        started=container.get("started") is True,
        ready_changed=moment_of(_condition(manifest, "Ready").get("lastTransitionTime")),
    )


def parse_pack(message: str) -> Pack | None:
    """The server's note of what it ran, or None for any other message: images of others leave what they like."""
    found = _PACK.fullmatch(message)
    return Pack(found["tier"], int(found["tokens"]), int(found["sequences"])) if found else None


def is_active(pod: Manifest) -> bool:
    """Whether the pod runs or will; one that ended is never started again."""
    return pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")


def belongs_to(manifest: Manifest, name: str, uid: str) -> bool:
    """Whether an object is a child of the owner of that name and uid: controlled by it, or by nobody but made for it.

    The latter has lost its owner reference by hand, or its owner in a deletion that orphans; it is taken in again.
    """
    references = manifest["metadata"].get("ownerReferences", ())
    controllers = [reference["uid"] for reference in references if reference.get("controller")]
    return controllers == [uid] if controllers else _was_made_for(manifest, name)


def _was_made_for(manifest: Manifest, name: str) -> bool:
    marked = ANNOTATION_APPLIED in manifest["metadata"].get("annotations", {})
    return marked and (_label(manifest, LABEL_MANAGED_BY), _label(manifest, LABEL_NAME)) == (FIELD_MANAGER, name)


def _server_status(pod: Manifest) -> Mapping[str, Any]:
    statuses = pod.get("status", {}).get("containerStatuses", ())
    return next((status for status in statuses if status["name"] == SERVER_CONTAINER), {})


def _condition(manifest: Manifest, kind: str) -> Mapping[str, Any]:
    conditions = manifest.get("status", {}).get("conditions", ())
    return next((condition for condition in conditions if condition["type"] == kind), {})


def _label(manifest: Manifest, label: str) -> str:
    return str(manifest["metadata"].get("labels", {}).get(label, ""))


def _one_line(text: str) -> str:
    """The end of what a container said, short enough for a condition."""
    return " ".join(text.split())[-LAST_WORDS:]
