"""Tells the API a pod's status: whenever it has changed, and until the API has taken it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from plimsoll_sandbox.kube import STRATEGIC, UNREACHABLE, ApiError, Json, Kube
from plimsoll_sandbox.node.clock import now
from plimsoll_sandbox.node.pod_status import PodState, status_of
from plimsoll_sandbox.node.spec.pods import Pod

# Changes come in bursts: a container that starts is running and ready within moments.
_BURST_SECONDS = 0.02
_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 10.0
_FINAL_TRIES = 20

log = logging.getLogger(__name__)


class StatusPublisher:
    def __init__(self, kube: Kube, pod: Pod, state: Callable[[], PodState]) -> None:
        self._kube = kube
        self._path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/status"
        self._uid = pod.uid
        self._state = state
        self._changed = asyncio.Event()
        self._published: Json = {}
        self._conditions: Sequence[Json] = pod.status.get("conditions", ())

    def changed(self) -> None:
        self._changed.set()

    def observed(self, status: Mapping[str, Any]) -> None:
        """The API shows this status now. Where somebody else has changed what is ours, it is told again.

        The node controller does so when a node seems to be gone.
        """
        shown = {condition["type"]: condition["status"] for condition in status.get("conditions", ())}
        if any(shown.get(condition["type"]) != condition["status"] for condition in self._published_conditions()):
            self._published = {}
        self._changed.set()

    def _published_conditions(self) -> Sequence[Json]:
        conditions: Sequence[Json] = self._published.get("conditions", ())
        return conditions

    async def keep(self) -> None:
        """Never returns."""
        delay = _RETRY_SECONDS
        while True:
            await self._changed.wait()
            await asyncio.sleep(_BURST_SECONDS)
            self._changed.clear()
            if await self._publish():
                delay = _RETRY_SECONDS
                continue
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_RETRY_SECONDS)
            self._changed.set()

    async def finish(self) -> None:
        """The last status. Given up after a while: a pod whose status cannot be told can still be removed."""
        for _ in range(_FINAL_TRIES):
            if await self._publish():
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _publish(self) -> bool:
        """Whether there is nothing more to tell."""
        status = status_of(self._state(), self._conditions, now())
        if status == self._published:
            return True
        try:
            await self._kube.patch(self._path, {"metadata": {"uid": self._uid}, "status": status}, STRATEGIC)
        except ApiError as error:
            if error.status == 404:
                return True
            log.warning("%s: status was refused: %s", self._path, error)
            return False
        except UNREACHABLE as error:
            log.warning("%s: status was not sent: %s", self._path, error)
            return False
        self._published, self._conditions = status, status["conditions"]
        return True
