"""Keeps one program running: started, watched until it is ready, and started again whenever it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from plimsoll_sandbox.components.component import Component
from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.layout import Layout
from plimsoll_sandbox.process import Child, start
from plimsoll_sandbox.status import Journal, Program

_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 30.0
_STEADY_SECONDS = 60.0
_POLL_SECONDS = 0.1
_TAIL_BYTES = 2_000


class Keeper:
    """`bring_up` first, then `keep` for as long as the sandbox lives, then `stop`."""

    def __init__(self, component: Component, layout: Layout, journal: Journal, environment: Mapping[str, str]) -> None:
        self._component = component
        self._folder = layout.folder
        self._log = layout.log_of(component.name)
        self._journal = journal
        self._environment = environment
        self._program = Program(component.name)
        self._child: Child | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    async def bring_up(self) -> None:
        """Start the program and wait until it is ready. Raises SandboxError."""
        child = self._start()
        deadline = time.monotonic() + self._component.deadline_seconds
        while not await self._component.is_ready():
            if not child.is_running:
                raise SandboxError(self._complaint(f"ended with {_ending(await child.wait())} before it was ready"))
            if time.monotonic() > deadline:
                raise SandboxError(self._complaint(f"was not ready after {self._component.deadline_seconds:.0f} s"))
            await asyncio.sleep(_POLL_SECONDS)

    async def keep(self) -> None:
        """Start it again whenever it ends, later each time unless it ran steadily in between."""
        delay = _FIRST_DELAY_SECONDS
        while self._child is not None:
            began = time.monotonic()
            code = await self._child.wait()
            if self._stopping:
                return
            if time.monotonic() - began > _STEADY_SECONDS:
                delay = _FIRST_DELAY_SECONDS
            self._note(pid=None, last_end=f"{_ending(code)} at {time.strftime('%H:%M:%S')}")
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY_SECONDS)
            self._note(restarts=self._program.restarts + 1)
            self._start()

    async def stop(self, grace_seconds: float) -> None:
        """Ask it to end, and make it end."""
        self._stopping = True
        child = self._child
        if child is None:
            return
        child.send(signal.SIGTERM)
        if not await child.ends_within(grace_seconds):
            child.kill_group()
            await child.wait()

    def _start(self) -> Child:
        output = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            child = start(
                self._component.command,
                environment=self._environment,
                folder=self._folder,
                output=output,
                on_our_death=self._component.on_our_death,
            )
        except OSError as error:
            raise SandboxError(f"{self._component.name} cannot be started: {error}") from error
        finally:
            os.close(output)
        self._child = child
        self._note(pid=child.pid)
        return child

    def _note(self, *, pid: int | None = None, restarts: int | None = None, last_end: str | None = None) -> None:
        known = self._program
        self._program = Program(
            name=known.name,
            pid=pid,
            restarts=known.restarts if restarts is None else restarts,
            last_end=known.last_end if last_end is None else last_end,
        )
        self._journal.program(self._program)

    def _complaint(self, what: str) -> str:
        return f"{self._component.name} {what}; its log is {self._log} and ends with:\n{tail(self._log)}"


def tail(path: Path) -> str:
    """The last lines of a log, or a word that there are none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return log.read().decode(errors="replace").strip() or "(nothing)"
    except FileNotFoundError:
        return "(no log)"


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
