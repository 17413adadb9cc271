"""`status`: how one InferenceDeployment stands, and why."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from plimsoll_operator.cli.connection import Context, Kubeconfig, Name, Namespace, Target, target_of
from plimsoll_operator.cli.console import show
from plimsoll_operator.cli.report import report
from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.errors import ForbiddenError
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.names import LABEL_NAME
from plimsoll_operator.observed import Manifest


def status(name: Name, namespace: Namespace = "", context: Context = "", kubeconfig: Kubeconfig = "") -> None:
    """Show how an InferenceDeployment stands: why, its revisions, pods, load line and starts."""
    target = target_of(name, namespace, context, kubeconfig)
    found, pods = asyncio.run(read_with_pods(target))
    show(report(found, pods, datetime.now(UTC)))


async def read_with_pods(target: Target) -> tuple[Manifest, list[Manifest] | None]:
    """The object and its pods; None for a user who may not see those."""
    async with target.connected() as kube:
        return await target.read(kube), await _pods(kube, target)


async def _pods(kube: Kube, target: Target) -> list[Manifest] | None:
    try:
        return await kube.list_all(kinds.POD, target.namespace, labels=f"{LABEL_NAME}={target.name}")
    except ForbiddenError:
        return None
