"""One container of a pod: started, and started again as its policy says, with everything its status tells."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from plimsoll_sandbox.kube import UNREACHABLE, ApiError
from plimsoll_sandbox.node.attempt import Attempt
from plimsoll_sandbox.node.backoff import Backoff
from plimsoll_sandbox.node.endpoint import LogSource, NoLogError
from plimsoll_sandbox.node.environment import ConfigError
from plimsoll_sandbox.node.events import NORMAL, WARNING, Event, PodName
from plimsoll_sandbox.node.image_store import ImageMissingError
from plimsoll_sandbox.node.launch import Launch, prepare_launch
from plimsoll_sandbox.node.room import Room
from plimsoll_sandbox.node.spec.containers import Container
from plimsoll_sandbox.node.states import ContainerStatus, Running, State, Terminated, Waiting

_PULL_BACKOFF_SECONDS = 10.0
# How long a failed pull is shown as such before it is shown as waiting for the next.
_PULL_ERROR_SECONDS = 2.0
_CONFIG_RETRY_SECONDS = 5.0
_UNREACHABLE_RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Past:
    """What is known of a container from before this agent ran it."""

    last: Terminated | None = None
    restarts: int = 0


class ContainerRunner:
    """`run` until it returns; `stop` makes it return. `changed` is called whenever `status` may have.

    `before_start` is the reason the status gives for waiting until then.
    """

    def __init__(
        self,
        container: Container,
        room: Room,
        policy: str,
        past: Past,
        before_start: str,
        changed: Callable[[], None],
    ) -> None:
        self.container = container
        self._room = room
        self._policy = policy
        self._changed = changed
        self._is_over = past.last is not None and not restarts_after(policy, past.last, ended_by_probe=False)
        self._state: State = past.last if past.last is not None and self._is_over else Waiting(before_start)
        self._last = None if self._is_over else past.last
        self._restarts = past.restarts + (past.last is not None and not self._is_over)
        self._attempt: Attempt | None = None
        self._backoff = Backoff(room.host.restart_backoff_seconds)
        self._stopping = asyncio.Event()
        self.has_started = asyncio.Event()

    @property
    def status(self) -> ContainerStatus:
        attempt = self._attempt
        return ContainerStatus(
            name=self.container.name,
            image=self.container.image,
            state=self._state if attempt is None else Running(attempt.began),
            last=self._last,
            restarts=self._restarts,
            ready=attempt is not None and attempt.ready,
            started=attempt is not None and attempt.started,
            container_id=attempt.container_id if attempt is not None else _id_of(self._state),
        )

    async def run(self) -> None:
        while not self._stopping.is_set() and not self._is_over:
            launch = await self._launch_when_possible()
            if launch is None or self._stopping.is_set():
                return
            ended_by_probe, ended = await self._run_once(launch)
            if self._stopping.is_set() or not restarts_after(self._policy, ended, ended_by_probe):
                return
            await self._wait_to_restart(ended)
            if not self._stopping.is_set():
                self._last, self._restarts = ended, self._restarts + 1

    def log_source(self, *, previous: bool) -> LogSource:
        """The log of the last attempt, or of the one before that. Raises NoLogError."""
        name, pod = self.container.name, self._room.pod.name
        # Between attempts the last one that ended is the previous one as well; one that has just started tells of
        # itself later than it runs.
        between = self._attempt is None and isinstance(self._state, Waiting)
        attempt = self._restarts - (previous and not between)
        file = self._room.log_file(self.container, attempt)
        if not file.exists() and previous:
            raise NoLogError(f'previous terminated container "{name}" in pod "{pod}" not found')
        if not file.exists():
            reason = self._state.reason if isinstance(self._state, Waiting) else "ContainerCreating"
            raise NoLogError(f'container "{name}" in pod "{pod}" is waiting to start: {reason}')
        return LogSource(file, lambda: self._attempt is not None and self._restarts == attempt)

    async def stop(self, grace_seconds: float) -> None:
        self._stopping.set()
        if self._attempt is not None:
            await self._attempt.terminate(grace_seconds, f"Stopping container {self.container.name}")

    def abandon(self) -> None:
        """The node itself ends: SIGTERM, and nothing is started again."""
        self._stopping.set()
        if self._attempt is not None:
            self._attempt.abandon()

    async def _run_once(self, launch: Launch) -> tuple[bool, Terminated]:
        attempt = Attempt(self.container, self._room, launch, self._restarts, self._tell, self._attempt_changed)
        self._attempt = attempt
        try:
            ended = await attempt.run()
        finally:
            self._attempt = None
        self._set(ended)
        # Of earlier attempts only the last one's log can be asked for.
        for path in self._room.container_folder(self.container).glob(f"{self._restarts - 2}.log*"):
            path.unlink()
        return attempt.ended_by_probe, ended

    async def _launch_when_possible(self) -> Launch | None:
        """None when the container is stopped first. Images, ConfigMaps and Secrets that are missing are waited for."""
        pulls = Backoff(_PULL_BACKOFF_SECONDS, first_seconds=_PULL_BACKOFF_SECONDS)
        while not self._stopping.is_set():
            try:
                launch = await prepare_launch(self.container, self._room)
            except ImageMissingError as error:
                await self._wait_to_pull(str(error), pulls)
            except ConfigError as error:
                self._set(Waiting("CreateContainerConfigError", str(error)))
                self._tell(WARNING, "Failed", f"Error: {error}")
                await self._sleep(_CONFIG_RETRY_SECONDS)
            except (ApiError, *UNREACHABLE) as error:
                log.warning("pod %s: container %s waits: %s", self._room.pod.full_name, self.container.name, error)
                await self._sleep(_UNREACHABLE_RETRY_SECONDS)
            else:
                self._tell(NORMAL, "Pulled", f'Container image "{self.container.image}" already present on machine')
                return launch
        return None

    async def _wait_to_pull(self, problem: str, pulls: Backoff) -> None:
        delay = pulls.after(0)
        self._set(Waiting("ErrImagePull", problem))
        self._tell(WARNING, "Failed", problem)
        await self._sleep(_PULL_ERROR_SECONDS)
        self._set(Waiting("ImagePullBackOff", f"Back-off pulling image: {problem}"))
        self._tell(NORMAL, "BackOff", f'Back-off pulling image "{self.container.image}"')
        await self._sleep(delay - _PULL_ERROR_SECONDS)

    async def _wait_to_restart(self, ended: Terminated) -> None:
        delay = self._backoff.after((ended.finished_at - ended.started_at).total_seconds())
        if delay <= 0:
            return
        name, pod = self.container.name, self._room.pod.full_name
        message = f"back-off {delay:g}s restarting failed container={name} pod={pod}"
        self._last = ended
        self._set(Waiting("CrashLoopBackOff", message))
        self._tell(WARNING, "BackOff", f"Back-off restarting failed container {name} in pod {pod}")
        await self._sleep(delay)

    async def _sleep(self, seconds: float) -> None:
        """Until then, or until the container is stopped."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _attempt_changed(self) -> None:
        if self._attempt is not None and self._attempt.started:
            self.has_started.set()
        self._changed()

    def _set(self, state: State) -> None:
        self._state = state
        self._changed()

    def _tell(self, kind: str, reason: str, message: str) -> None:
        self._room.host.events.record(
            Event(PodName.of(self._room.pod), kind, reason, message, container=self.container.name)
        )


def restarts_after(policy: str, ended: Terminated, ended_by_probe: bool) -> bool:
    """Whether a container with this restart policy is started again."""
    if policy == "OnFailure":
        return ended_by_probe or not ended.succeeded
    return policy == "Always"


def _id_of(state: State) -> str:
    return state.container_id if isinstance(state, Terminated) else ""
