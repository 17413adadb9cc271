"""One pod's life on its node: room made, containers run, status told, and everything taken away at its end."""

from __future__ import annotations

import asyncio
import logging
import shutil

from plimsoll_sandbox.kube import UNREACHABLE, ApiError
from plimsoll_sandbox.node.clock import now, parse_timestamp
from plimsoll_sandbox.node.crew import Crew
from plimsoll_sandbox.node.endpoint import LogSource
from plimsoll_sandbox.node.events import WARNING, Event, PodName
from plimsoll_sandbox.node.host import Host
from plimsoll_sandbox.node.pod_status import FAILED, SUCCEEDED, PodState
from plimsoll_sandbox.node.publisher import StatusPublisher
from plimsoll_sandbox.node.room import Room
from plimsoll_sandbox.node.spec.pods import Pod
from plimsoll_sandbox.node.volumes import VolumeError

_VOLUME_RETRY_SECONDS = 1.0
_LONGEST_VOLUME_RETRY_SECONDS = 15.0
_REFRESH_SECONDS = 10.0
_REMOVAL_RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class PodWorker:
    """`run` until the pod is gone; `update` and `vanish` tell what the API says meanwhile."""

    def __init__(self, pod: Pod, host: Host) -> None:
        self._host = host
        self._room = Room.open(host, pod)
        self._publisher = StatusPublisher(host.kube, pod, self._state)
        self._crew = Crew(self._room, self._publisher.changed)
        # Its containers ended for good under an earlier agent; all that is left is to remove it when asked to.
        self._was_over = pod.phase in {SUCCEEDED, FAILED}
        self._has_volumes = False
        self._done = False
        # A pod that an earlier agent began keeps its start.
        self._began = parse_timestamp(pod.status["startTime"]) if "startTime" in pod.status else now()
        self._deleted = asyncio.Event()
        self._vanished = False
        self._hurrying: set[asyncio.Task[None]] = set()
        self.update(pod)

    @property
    def room(self) -> Room:
        return self._room

    def log_source(self, container: str, *, previous: bool) -> LogSource:
        """The log of a container's last attempt, or of the one before that. Raises NoLogError."""
        return self._crew.log_source(container, previous=previous)

    def update(self, pod: Pod) -> None:
        """The API has a newer version of the pod."""
        grace = self._room.pod.deletion_seconds
        self._room.pod = pod
        self._publisher.observed(pod.status)
        if pod.deletion_seconds is None:
            return
        if self._deleted.is_set() and (grace is None or pod.deletion_seconds < grace):
            self._hurry(pod.deletion_seconds)
        self._deleted.set()

    def vanish(self) -> None:
        """The pod is gone from the API, by force: its containers go without further grace."""
        self._vanished = True
        if self._deleted.is_set():
            self._hurry(0)
        self._deleted.set()

    def abandon(self) -> None:
        """The node itself ends."""
        self._crew.abandon()

    async def run(self) -> None:
        publishing = asyncio.create_task(self._publisher.keep()) if not self._was_over else None
        try:
            await self._live_until_deleted()
            await self._crew.stop(self._grace_seconds())
            self._done = True
            if publishing is not None:
                publishing.cancel()
            if not self._was_over and not self._vanished:
                await self._publisher.finish()
            await self._remove()
        finally:
            if publishing is not None:
                publishing.cancel()
            self._host.addresses.give_back(self._room.address)
        await asyncio.to_thread(shutil.rmtree, self._room.folder, ignore_errors=True)

    async def _live_until_deleted(self) -> None:
        living = asyncio.create_task(self._live())
        deletion = asyncio.create_task(self._deleted.wait())
        await asyncio.wait({living, deletion}, return_when=asyncio.FIRST_COMPLETED)
        if living.done():
            living.result()
            await deletion
        living.cancel()
        deletion.cancel()

    async def _live(self) -> None:
        """Until all containers are done."""
        if self._was_over:
            return
        await self._set_up_volumes()
        refreshing = asyncio.create_task(self._keep_volumes_fresh())
        try:
            await self._crew.run()
        finally:
            refreshing.cancel()
        self._done = True
        self._publisher.changed()

    async def _set_up_volumes(self) -> None:
        delay = _VOLUME_RETRY_SECONDS
        while True:
            try:
                await self._room.set_up_volumes()
            except (VolumeError, ApiError, *UNREACHABLE) as error:
                self._warn("FailedMount", f"MountVolume.SetUp failed: {error}")
            else:
                break
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_VOLUME_RETRY_SECONDS)
        self._has_volumes = True
        self._publisher.changed()

    async def _keep_volumes_fresh(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            try:
                await self._room.refresh_volumes()
            except (VolumeError, ApiError, *UNREACHABLE) as error:
                log.warning("pod %s: volumes keep their old content: %s", self._room.pod.full_name, error)

    async def _remove(self) -> None:
        """Take the object out of the API; whoever set finalizers on it may still hold it there."""
        pod = self._room.pod
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
        while not self._vanished:
            try:
                await self._host.kube.delete(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}", body)
                return
            except ApiError as error:
                if error.status in {404, 409}:  # Gone, or another pod of the same name.
                    return
                log.warning("pod %s cannot be removed: %s", pod.full_name, error)
            except UNREACHABLE as error:
                log.warning("pod %s is not removed yet: %s", pod.full_name, error)
            await asyncio.sleep(_REMOVAL_RETRY_SECONDS)

    def _grace_seconds(self) -> float:
        return 0.0 if self._vanished else self._room.pod.deletion_seconds or 0.0

    def _hurry(self, grace_seconds: float) -> None:
        task = asyncio.create_task(self._crew.stop(grace_seconds))
        self._hurrying.add(task)
        task.add_done_callback(self._hurrying.discard)

    def _warn(self, reason: str, message: str) -> None:
        self._host.events.record(Event(PodName.of(self._room.pod), WARNING, reason, message))

    def _state(self) -> PodState:
        return PodState(
            pod=self._room.pod,
            init=self._crew.init_statuses,
            main=self._crew.main_statuses,
            started_at=self._began,
            node_address=self._host.node.address,
            pod_address=self._room.address if self._has_volumes else None,
            initialized=self._crew.initialized,
            done=self._done,
        )
