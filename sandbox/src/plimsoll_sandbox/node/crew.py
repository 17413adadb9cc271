"""All containers of one pod, in the order in which Kubernetes starts and ends them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from plimsoll_sandbox.node.clock import now
from plimsoll_sandbox.node.container import ContainerRunner
from plimsoll_sandbox.node.endpoint import LogSource, NoLogError
from plimsoll_sandbox.node.history import past_of
from plimsoll_sandbox.node.room import Room
from plimsoll_sandbox.node.spec.containers import Container
from plimsoll_sandbox.node.states import ContainerStatus, Terminated

log = logging.getLogger(__name__)


class Crew:
    """`run` until all containers are done; `stop` at any time. `changed` is called whenever a status may have."""

    def __init__(self, room: Room, changed: Callable[[], None]) -> None:
        self._sidecars = room.pod.sidecars
        self._changed = changed
        self._init = [self._runner(container, room, "initContainerStatuses") for container in room.pod.init_containers]
        self._main = [self._runner(container, room, "containerStatuses") for container in room.pod.containers]
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.initialized = False

    @property
    def init_statuses(self) -> list[ContainerStatus]:
        return [runner.status for runner in self._init]

    @property
    def main_statuses(self) -> list[ContainerStatus]:
        return [runner.status for runner in self._main]

    async def run(self) -> None:
        """Init containers one by one, then the others together, and at last the sidecars' end."""
        for runner in self._init:
            if not await self._run_init(runner):
                return
        self.initialized = True
        self._changed()
        for runner in self._main:
            self._start(runner)
        await asyncio.wait([self._tasks[runner.container.name] for runner in self._main])
        await self._stop_sidecars(30.0)

    async def stop(self, grace_seconds: float) -> None:
        """End everything within the grace; a second call can only shorten it."""
        deadline = asyncio.get_running_loop().time() + grace_seconds
        others = [runner for runner in (*self._init, *self._main) if runner.container.name not in self._sidecars]
        await asyncio.gather(*(runner.stop(grace_seconds) for runner in others))
        await self._ended(others)
        await self._stop_sidecars(max(0.0, deadline - asyncio.get_running_loop().time()))

    def log_source(self, name: str, *, previous: bool) -> LogSource:
        """The log of a container's last attempt, or of the one before that. Raises NoLogError."""
        for runner in (*self._init, *self._main):
            if runner.container.name == name:
                return runner.log_source(previous=previous)
        raise NoLogError(f"container {name} is not valid for this pod")

    def abandon(self) -> None:
        """The node itself ends: SIGTERM, and nothing is started again."""
        for runner in (*self._init, *self._main):
            runner.abandon()

    async def _run_init(self, runner: ContainerRunner) -> bool:
        """Whether the next container may start."""
        task = self._start(runner)
        if runner.container.name not in self._sidecars:
            await asyncio.wait([task])
            state = runner.status.state
            return isinstance(state, Terminated) and state.succeeded
        started = asyncio.create_task(runner.has_started.wait())
        await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        return not task.done()

    async def _stop_sidecars(self, grace_seconds: float) -> None:
        """The one that was started last goes first."""
        sidecars = [runner for runner in self._init if runner.container.name in self._sidecars]
        for runner in reversed(sidecars):
            await runner.stop(grace_seconds)
        await self._ended(sidecars)

    async def _ended(self, runners: Iterable[ContainerRunner]) -> None:
        tasks = [self._tasks[runner.container.name] for runner in runners if runner.container.name in self._tasks]
        if tasks:
            await asyncio.wait(tasks)

    def _start(self, runner: ContainerRunner) -> asyncio.Task[None]:
        task = asyncio.create_task(runner.run(), name=f"container {runner.container.name}")
        task.add_done_callback(_complain)
        self._tasks[runner.container.name] = task
        return task

    def _runner(self, container: Container, room: Room, statuses: str) -> ContainerRunner:
        policy = room.pod.restart_policy
        if statuses == "initContainerStatuses":
            policy = "Always" if container.is_sidecar else "Never" if policy == "Never" else "OnFailure"
        past = past_of(container.name, room.pod.status.get(statuses, ()), now())
        before_start = "PodInitializing" if room.pod.init_containers else "ContainerCreating"
        return ContainerRunner(container, room, policy, past, before_start, self._changed)


def _complain(task: asyncio.Task[None]) -> None:
    """A runner never fails; should it, nobody else would say so."""
    if not task.cancelled() and task.exception() is not None:
        log.error("%s is left as it is", task.get_name(), exc_info=task.exception())
