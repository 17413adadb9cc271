"""The pods of one node: a worker for each, as the API says which there are."""

from __future__ import annotations

import asyncio
import logging

from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.kube import Kube
from plimsoll_sandbox.node.events import WARNING, Event, PodName
from plimsoll_sandbox.node.host import Host
from plimsoll_sandbox.node.pod import PodWorker
from plimsoll_sandbox.node.spec.pods import Pod, parse_pod
from plimsoll_sandbox.node.watching import Change, Follower

log = logging.getLogger(__name__)


class Roster:
    def __init__(self, kube: Kube, host: Host) -> None:
        self._kube = kube
        self._host = host
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._gone: set[str] = set()

    async def keep(self) -> None:
        """Never returns."""
        follower = Follower(self._kube, "/api/v1/pods", fieldSelector=f"spec.nodeName={self._host.node.name}")
        async for change in follower.changes():
            if isinstance(change, Change):
                self._take(change)

    def find(self, namespace: str, name: str) -> PodWorker | None:
        return next(
            (
                worker
                for worker in self._workers.values()
                if (worker.room.pod.namespace, worker.room.pod.name) == (namespace, name)
            ),
            None,
        )

    def abandon(self) -> None:
        """The node itself ends: the API is told no more, as when a machine loses power."""
        for task in self._tasks.values():
            task.cancel()
        for worker in self._workers.values():
            worker.abandon()

    def _take(self, change: Change) -> None:
        pod = parse_pod(change.object)
        known = self._workers.get(pod.uid)
        if change.gone:
            self._take_gone(pod.uid, known)
        elif known is not None:
            known.update(pod)
        else:
            self._take_new(pod)

    def _take_new(self, pod: Pod) -> None:
        try:
            worker = PodWorker(pod, self._host)
        except (SandboxError, OSError) as error:
            message = f"Failed to create pod sandbox: {error}"
            self._host.events.record(Event(PodName.of(pod), WARNING, "FailedCreatePodSandBox", message))
            return
        self._workers[pod.uid] = worker
        task = asyncio.create_task(worker.run(), name=f"pod {pod.full_name}")
        self._tasks[pod.uid] = task
        task.add_done_callback(lambda ended: self._ended(pod.uid, ended))

    def _take_gone(self, uid: str, worker: PodWorker | None) -> None:
        self._gone.add(uid)
        if worker is not None:
            worker.vanish()
        self._forget_what_ended(uid)

    def _ended(self, uid: str, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("%s is left as it is", task.get_name(), exc_info=task.exception())
        self._forget_what_ended(uid)

    def _forget_what_ended(self, uid: str) -> None:
        """A finished pod is remembered until the API has lost it too (finalizers), or it would be started again."""
        task = self._tasks.get(uid)
        if uid in self._gone and (task is None or task.done()):
            self._workers.pop(uid, None)
            self._tasks.pop(uid, None)
            self._gone.discard(uid)
