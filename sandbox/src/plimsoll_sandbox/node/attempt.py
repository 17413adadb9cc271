"""One run of a container's process, from its start to the end of everything it started."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path

from plimsoll_sandbox.node.actor import Actor, Surrounding
from plimsoll_sandbox.node.clock import now
from plimsoll_sandbox.node.container_log import ContainerLog, lines_of
from plimsoll_sandbox.node.events import NORMAL, WARNING
from plimsoll_sandbox.node.launch import Launch
from plimsoll_sandbox.node.memory import Limit
from plimsoll_sandbox.node.probing import probe_container
from plimsoll_sandbox.node.room import Room
from plimsoll_sandbox.node.spec.containers import Container
from plimsoll_sandbox.node.states import OOM_EXIT_CODE, Terminated
from plimsoll_sandbox.orphans import CONTAINER_MARK, kill_marked
from plimsoll_sandbox.process import Child, start

_START_ERROR_EXIT_CODE = 128
# However short the grace, a process may react to SIGTERM.
_LEAST_GRACE_SECONDS = 2.0
_POST_START_SECONDS = 300.0
_LOOK_SECONDS = 0.5
_MESSAGE_BYTES = 4096
_LOG_MESSAGE_BYTES = 2048


class Attempt:
    """`run` once; `terminate` at any time. `changed` is called whenever `started` or `ready` change."""

    def __init__(
        self,
        container: Container,
        room: Room,
        launch: Launch,
        number: int,
        tell: Callable[[str, str, str], None],
        changed: Callable[[], None],
    ) -> None:
        self.container_id = f"process://{room.pod.uid}/{container.name}/{number}"
        self.began = now()
        self.started = False
        self.ready = False
        self.ended_by_probe = False
        self._container = container
        self._room = room
        self._launch = launch
        self._log_file = room.log_file(container, number)
        self._tell = tell
        self._changed = changed
        self._child: Child | None = None
        self._out_of_memory = False
        self._deadline: float | None = None
        self._terminating: asyncio.Task[None] | None = None
        around = Surrounding(container, room.address, launch.environment, launch.mounts, launch.folder)
        self._actor = Actor(room.host.session, around)

    async def run(self) -> Terminated:
        try:
            output = ContainerLog(self._log_file)
        except OSError as error:
            return self._end(_START_ERROR_EXIT_CODE, "StartError", f"its log cannot be written: {error}")
        try:
            child = self._child = start(
                self._launch.command,
                environment=self._launch.environment,
                folder=self._launch.folder,
                output=output.write_end,
            )
        except OSError as error:
            return self._end(
                _START_ERROR_EXIT_CODE, "StartError", f"failed to start {self._launch.command[0]}: {error}"
            )
        finally:
            output.started()
        _prefer_to_be_killed(child.pid)
        self._tell(NORMAL, "Started", f"Container {self._container.name} started")
        self._changed()
        code = await self._accompanied(child)
        await output.close()
        return self._end_of(code)

    async def terminate(self, grace_seconds: float, why: str) -> None:
        """preStop, SIGTERM, and SIGKILL when the grace is over. A second call can only shorten the grace."""
        child = self._child
        if child is None:
            return
        deadline = _time() + grace_seconds
        if self._deadline is not None:
            self._deadline = min(self._deadline, deadline)
            await child.wait()
            return
        self._deadline = deadline
        self._tell(NORMAL, "Killing", why)
        await self._pre_stop(child)
        child.send(signal.SIGTERM)
        signalled = _time()
        while child.is_running and _time() < max(self._deadline, signalled + _LEAST_GRACE_SECONDS):
            await child.ends_within(_LOOK_SECONDS)
        child.kill_group()
        await child.wait()

    def abandon(self) -> None:
        """The node itself ends: SIGTERM at once, no hooks."""
        if self._child is not None:
            self._child.send(signal.SIGTERM)

    def has_started(self) -> None:
        self.started = True
        self._changed()

    def set_ready(self, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            self._changed()

    def probe_failed(self, kind: str, message: str) -> None:
        self._tell(WARNING, "Unhealthy", f"{kind} probe failed: {message}")

    def end_for(self, kind: str, grace_seconds: float | None) -> None:
        self.ended_by_probe = True
        grace = self._room.pod.grace_seconds if grace_seconds is None else grace_seconds
        why = f"Container {self._container.name} failed {kind} probe, will be restarted"
        self._terminating = asyncio.create_task(self.terminate(grace, why))

    async def _accompanied(self, child: Child) -> int:
        """Wait for the end, probing and watching meanwhile; then nothing of the container is left."""
        limit = self._container.memory_limit
        if limit is not None:
            self._room.host.memory.put(Limit(child.pid, limit, self._exceeded))
        company = asyncio.create_task(self._post_start_and_probes())
        try:
            return await child.wait()
        finally:
            self._room.host.memory.lift(child.pid)
            company.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await company
            kill_marked(CONTAINER_MARK, str(self._room.container_folder(self._container)))
            self.started = self.ready = False

    async def _post_start_and_probes(self) -> None:
        if self._container.post_start is not None:
            outcome = await self._actor.act(self._container.post_start, _POST_START_SECONDS)
            if not outcome.succeeded:
                self._tell(WARNING, "FailedPostStartHook", f"PostStartHook failed: {outcome.message}")
                why = f"Container {self._container.name} failed its postStart hook"
                self._terminating = asyncio.create_task(self.terminate(self._room.pod.grace_seconds, why))
                return
        await probe_container(self._container, self._actor, self)

    async def _pre_stop(self, child: Child) -> None:
        if self._container.pre_stop is None or self._deadline is None:
            return
        hook = asyncio.create_task(self._actor.act(self._container.pre_stop, max(0.0, self._deadline - _time())))
        ended = asyncio.create_task(child.wait())
        await asyncio.wait({hook, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if hook.done() and not hook.result().succeeded:
            self._tell(WARNING, "FailedPreStopHook", f"PreStopHook failed: {hook.result().message}")
        hook.cancel()

    def _exceeded(self, used: int) -> None:
        if self._child is None or self._out_of_memory:
            return
        self._out_of_memory = True
        limit = self._container.limits["memory"]
        self._tell(
            WARNING, "OOMKilling", f"Container {self._container.name} uses {used >> 20} MiB, its limit is {limit}"
        )
        self._child.kill_group()

    def _end_of(self, code: int) -> Terminated:
        if self._out_of_memory:
            return self._end(OOM_EXIT_CODE, "OOMKilled", self._message(failed=True))
        exit_code = code if code >= 0 else 128 - code
        return self._end(exit_code, "Error" if exit_code else "Completed", self._message(failed=exit_code != 0))

    def _end(self, exit_code: int, reason: str, message: str) -> Terminated:
        return Terminated(exit_code, reason, self.began, now(), message, self.container_id)

    def _message(self, *, failed: bool) -> str:
        """What the container left in its termination message file, else the end of its log where it asks for that."""
        message = self._launch.message_file.read_bytes()[:_MESSAGE_BYTES]
        if not message and failed and self._container.message_from_log:
            message = b"".join(text for _, text in lines_of(self._log_file))[-_LOG_MESSAGE_BYTES:]
        return message.decode(errors="replace")


def _prefer_to_be_killed(pid: int) -> None:
    """Should the machine itself run out of memory, the kernel shall take a pod and not the control plane."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("800")


def _time() -> float:
    return asyncio.get_running_loop().time()
