"""What the supervisor tells the world, as one file: how far the start is, what runs, what was restarted and why."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from plimsoll_sandbox.files import read_json, write_json
from plimsoll_sandbox.layout import Layout
from plimsoll_sandbox.orphans import start_ticks

log = logging.getLogger(__name__)


class Phase(StrEnum):
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPING = "stopping"


@dataclass(frozen=True)
class Step:
    """One step of the start. `seconds` is None while it goes on."""

    title: str
    seconds: float | None = None


@dataclass(frozen=True)
class Program:
    """One supervised program. `last_end` says how it ended the last time it did."""

    name: str
    pid: int | None = None
    restarts: int = 0
    last_end: str = ""


@dataclass(frozen=True)
class Status:
    """`supervisor_pid` and `supervisor_ticks` together name one process for good."""

    supervisor_pid: int
    supervisor_ticks: int
    phase: Phase = Phase.STARTING
    reason: str = ""
    steps: tuple[Step, ...] = ()
    programs: Mapping[str, Program] = field(default_factory=dict)

    @property
    def is_alive(self) -> bool:
        return start_ticks(self.supervisor_pid) == self.supervisor_ticks

    @classmethod
    def read(cls, layout: Layout) -> Status | None:
        """None where no supervisor of this version has written yet. `down` finds one of another by its mark."""
        try:
            return cls._parse(read_json(layout.status))
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            return None

    @classmethod
    def _parse(cls, value: Mapping[str, Any]) -> Status:
        return cls(
            supervisor_pid=value["supervisor_pid"],
            supervisor_ticks=value["supervisor_ticks"],
            phase=Phase(value["phase"]),
            reason=value["reason"],
            steps=tuple(Step(**step) for step in value["steps"]),
            programs={name: Program(**program) for name, program in value["programs"].items()},
        )


class Journal:
    """The supervisor's hold on the status file: each change is on disk when the method returns."""

    def __init__(self, layout: Layout, status: Status) -> None:
        self._layout = layout
        self.status = status
        self._write()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        began = time.monotonic()
        self._put_step(Step(title))
        yield
        self._put_step(Step(title, round(time.monotonic() - began, 1)))

    def phase(self, phase: Phase, reason: str = "") -> None:
        self.status = replace(self.status, phase=phase, reason=reason)
        self._write()

    def program(self, program: Program) -> None:
        self.status = replace(self.status, programs={**self.status.programs, program.name: program})
        self._write()

    def _put_step(self, step: Step) -> None:
        others = tuple(known for known in self.status.steps if known.title != step.title)
        self.status = replace(self.status, steps=(*others, step))
        self._write()

    def _write(self) -> None:
        try:
            write_json(self._layout.status, asdict(self.status))
        except OSError as error:  # A disk that is full now must not end what runs.
            log.error("the status cannot be written: %s", error)
