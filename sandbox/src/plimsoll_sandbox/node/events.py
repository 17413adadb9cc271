"""Kubernetes Events about pods, as a kubelet records them: one object per kind of happening, counted up."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass

from plimsoll_sandbox.kube import UNREACHABLE, ApiError, Json, Kube
from plimsoll_sandbox.node.clock import now, timestamp
from plimsoll_sandbox.node.spec.pods import Pod

NORMAL = "Normal"
WARNING = "Warning"

_MOST_WAITING = 1000
_MOST_REMEMBERED = 1000
_LONGEST_MESSAGE = 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PodName:
    """Names one pod for good."""

    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, pod: Pod) -> PodName:
        return cls(pod.namespace, pod.name, pod.uid)


@dataclass(frozen=True)
class Event:
    """What happened to a pod, or to one of its containers."""

    pod: PodName
    kind: str
    reason: str
    message: str
    container: str = ""


@dataclass
class _Known:
    name: str
    count: int


class EventRecorder:
    """`record` returns at once; `keep` sends. An Event that cannot be sent is dropped: it is news, not state."""

    def __init__(self, kube: Kube, node: str) -> None:
        self._kube = kube
        self._node = node
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(_MOST_WAITING)
        self._known: OrderedDict[Event, _Known] = OrderedDict()

    def record(self, event: Event) -> None:
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            log.warning("pod %s: event %s is dropped: too many are waiting", event.pod.name, event.reason)

    async def keep(self) -> None:
        """Never returns."""
        while True:
            event = await self._waiting.get()
            try:
                await self._send(event)
            except (ApiError, *UNREACHABLE) as error:
                log.warning("pod %s: event %s was not sent: %s", event.pod.name, event.reason, error)

    async def _send(self, event: Event) -> None:
        path = f"/api/v1/namespaces/{event.pod.namespace}/events"
        known = self._known.get(event)
        if known is not None:
            known.count += 1
            body: Json = {"count": known.count, "lastTimestamp": timestamp(now())}
            try:
                await self._kube.patch(f"{path}/{known.name}", body)
                return
            except ApiError as error:
                if error.status != 404:  # Events live for an hour only.
                    raise
        created = await self._kube.create(path, self._body(event))
        self._known[event] = _Known(created["metadata"]["name"], 1)
        if len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)

    def _body(self, event: Event) -> Json:
        pod, moment = event.pod, timestamp(now())
        about = {"apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
        if event.container:
            about["fieldPath"] = f"spec.containers{{{event.container}}}"
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{pod.name}.", "namespace": pod.namespace},
            "involvedObject": about,
            "type": event.kind,
            "reason": event.reason,
            "message": event.message[:_LONGEST_MESSAGE],
            "source": {"component": "kubelet", "host": self._node},
            "reportingComponent": "kubelet",
            "reportingInstance": self._node,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
