"""`status`: how one InferenceDeployment stands, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from plimsoll_operator.cli.connection import Context, Kubeconfig, Namespace, Target, target_of
from plimsoll_operator.cli.console import show
from plimsoll_operator.cli.name import Name
from plimsoll_operator.cli.output import Format, Output, show_json, told_if_it_fails
from plimsoll_operator.cli.report import report, why
from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.errors import ForbiddenError
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.cluster.parse import is_active, parse_pod
from plimsoll_operator.names import LABEL_NAME
from plimsoll_operator.observed import Manifest


def status(
    name: Name,
    namespace: Namespace = "",
    output: Output = Format.text,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Show how an InferenceDeployment stands: why, its revisions, pods, load line and starts."""
    target = target_of(name, namespace, context, kubeconfig)
    with told_if_it_fails(output):
        found, pods = asyncio.run(read_with_pods(target))
    if output is Format.json:
        show_json(document(found, pods))
    else:
        show(report(found, pods, datetime.now(UTC)))


def document(found: Manifest, pods: Sequence[Manifest] | None) -> dict[str, Any]:
    """For scripts: the object's own status, and its pods; null where they may not be seen."""
    metadata = found["metadata"]
    return {
        "object": f"{metadata['namespace']}/{metadata['name']}",
        "generation": metadata["generation"],
        "status": found.get("status", {}),
        "pods": None if pods is None else [_pod(manifest) for manifest in pods if is_active(manifest)],
    }


def _pod(manifest: Manifest) -> dict[str, Any]:
    pod = parse_pod(manifest)
    node = manifest.get("spec", {}).get("nodeName", "")
    told = {"name": pod.name, "revision": pod.revision, "ready": pod.ready, "node": node, "restarts": pod.restarts}
    return {**told, "terminating": pod.terminating, "why": why(pod)}


async def read_with_pods(target: Target) -> tuple[Manifest, list[Manifest] | None]:
    """The object and its pods; None for a user who may not see those."""
    async with target.connected() as kube:
        return await target.read(kube), await _pods(kube, target)


async def _pods(kube: Kube, target: Target) -> list[Manifest] | None:
    try:
        return await kube.list_all(kinds.POD, target.namespace, labels=f"{LABEL_NAME}={target.name}")
    except ForbiddenError:
        return None
