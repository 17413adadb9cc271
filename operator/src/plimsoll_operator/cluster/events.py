"""Kubernetes Events on an InferenceDeployment, counted up rather than repeated.

An Event's name follows from what it says, so the same news within the hour that the apiserver keeps Events finds the
earlier one, whichever operator process wrote it. A warning is the same for its reason alone: its message names pods and
counts their restarts, and twenty of them would say no more than one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from plimsoll_operator import names
from plimsoll_operator.cluster.errors import ConflictError
from plimsoll_operator.cluster.kinds import EVENT
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.observed import Owner
from plimsoll_operator.plan import Event

MESSAGE_LIMIT = 1024
"""Bytes of a message that the API accepts."""


async def record_event(kube: Kube, owner: Owner, event: Event, now: datetime) -> None:
    """Write `event`, or count up the one that says the same. Raises KubeError."""
    manifest = render_event(owner, event, now)
    try:
        await kube.create(EVENT, owner.namespace, manifest)
    except ConflictError:
        await _count_up(kube, owner.namespace, manifest)


async def _count_up(kube: Kube, namespace: str, manifest: dict[str, Any]) -> None:
    name = manifest["metadata"]["name"]
    stored = await kube.find(EVENT, namespace, name)
    if stored is None:
        # Expired between the two requests; the object's conditions say the same.
        return
    await kube.update(
        EVENT,
        namespace,
        name,
        {
            "metadata": {"resourceVersion": stored["metadata"]["resourceVersion"]},
            "message": manifest["message"],
            "count": (stored.get("count") or 1) + 1,
            "lastTimestamp": manifest["lastTimestamp"],
        },
    )


def render_event(owner: Owner, event: Event, now: datetime) -> dict[str, Any]:
    """The Event as JSON, its name derived from the object, the reason and, of good news, the message."""
    told = event.message if event.type == "Normal" else ""
    identity = names.content_hash([owner.uid, event.type, event.reason, told])
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"name": f"{owner.name}.{identity}", "namespace": owner.namespace},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "namespace": owner.namespace,
            "name": owner.name,
            "uid": owner.uid,
        },
        "type": event.type,
        "reason": event.reason,
        "message": _cut(event.message),
        "count": 1,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "source": {"component": names.FIELD_MANAGER},
        "reportingComponent": names.FIELD_MANAGER,
        "reportingInstance": names.FIELD_MANAGER,
    }


def _cut(message: str) -> str:
    if len(message.encode()) <= MESSAGE_LIMIT:
        return message
    return message.encode()[: MESSAGE_LIMIT - 3].decode(errors="ignore") + "…"
