"""A node's presence: its Node object, its Lease, and its Ready condition, kept alive through apiserver restarts."""

from __future__ import annotations

import asyncio
import datetime
import logging
from typing import Any

from plimsoll_sandbox.fleet import Node
from plimsoll_sandbox.kube import STRATEGIC, UNREACHABLE, ApiError, Json, Kube
from plimsoll_sandbox.node.clock import micro_time, now, timestamp

_HEARTBEAT_SECONDS = 5.0
_LEASE_SECONDS = 40
# The node controller trusts the Lease; the condition is only posted again when it is this old or was taken away.
_STATUS_AGE = datetime.timedelta(minutes=5)
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_CONDITIONS = {
    "Ready": ("True", "NodeAgentReady", "the node agent runs pods"),
    "MemoryPressure": ("False", "NodeAgentReady", "memory is not watched per node"),
    "DiskPressure": ("False", "NodeAgentReady", "disk is not watched per node"),
    "PIDPressure": ("False", "NodeAgentReady", "processes are not watched per node"),
}

log = logging.getLogger(__name__)


class Registration:
    """Keeps one node registered."""

    def __init__(self, kube: Kube, node: Node, kubelet_port: int) -> None:
        self._kube = kube
        self._node = node
        self._port = kubelet_port
        self._path = f"/api/v1/nodes/{node.name}"
        self._posted: datetime.datetime | None = None

    async def keep(self) -> None:
        """Never returns; an apiserver that is away is waited for."""
        while True:
            try:
                await self._beat()
            except (ApiError, *UNREACHABLE) as error:
                log.warning("node %s: heartbeat failed: %s", self._node.name, error)
            await asyncio.sleep(_HEARTBEAT_SECONDS)

    async def _beat(self) -> None:
        found = await self._find_or_create()
        if self._is_stale(found):
            await self._kube.patch(f"{self._path}/status", {"status": self._status()}, STRATEGIC)
            self._posted = now()
        await self._renew_lease(found["metadata"]["uid"])

    async def _find_or_create(self) -> Json:
        try:
            return await self._kube.get(self._path)
        except ApiError as error:
            if error.status != 404:
                raise
        log.info("registering node %s", self._node.name)
        self._posted = None
        return await self._kube.create("/api/v1/nodes", self._object())

    def _is_stale(self, found: Json) -> bool:
        conditions = found.get("status", {}).get("conditions", [])
        ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
        return not ready or self._posted is None or now() - self._posted > _STATUS_AGE

    async def _renew_lease(self, uid: str) -> None:
        spec = {
            "holderIdentity": self._node.name,
            "leaseDurationSeconds": _LEASE_SECONDS,
            "renewTime": micro_time(now()),
        }
        try:
            await self._kube.patch(f"{_LEASES}/{self._node.name}", {"spec": spec})
        except ApiError as error:
            if error.status != 404:
                raise
            owner = {"apiVersion": "v1", "kind": "Node", "name": self._node.name, "uid": uid}
            await self._kube.create(
                _LEASES,
                {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": self._node.name, "ownerReferences": [owner]},
                    "spec": spec,
                },
            )

    def _object(self) -> Json:
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self._node.name, "labels": dict(self._node.labels)},
            "spec": {
                "providerID": f"plimsoll-sandbox://{self._node.name}",
                "taints": [vars(taint) for taint in self._node.taints],
            },
            "status": self._status(),
        }

    def _status(self) -> dict[str, Any]:
        moment = timestamp(now())
        return {
            "addresses": [{"type": "InternalIP", "address": self._node.address}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "capacity": dict(self._node.capacity),
            "allocatable": dict(self._node.capacity),
            "nodeInfo": _node_info(self._node),
            "conditions": [
                {
                    "type": kind,
                    "status": status,
                    "reason": reason,
                    "message": message,
                    "lastHeartbeatTime": moment,
                    "lastTransitionTime": moment,
                }
                for kind, (status, reason, message) in _CONDITIONS.items()
            ],
        }


def _node_info(node: Node) -> dict[str, str]:
    return {
        "architecture": node.labels["kubernetes.io/arch"],
        "operatingSystem": "linux",
        "osImage": "this machine",
        "kernelVersion": "",
        "machineID": node.name,
        "systemUUID": node.name,
        "bootID": node.name,
        "containerRuntimeVersion": "process://1",
        "kubeletVersion": "v1.36.3-plimsoll-sandbox",
        "kubeProxyVersion": "",
    }
