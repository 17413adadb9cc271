"""Tells what is being done, why, and how far it is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from rich.console import Console

HEARTBEAT_SECONDS = 20.0


@dataclass(frozen=True)
class Job:
    """A piece of work of known size."""

    title: str
    purpose: str
    expected_seconds: float
    parts: int  # about how many; 0 when it cannot be told
    unit: str


class Progress(Protocol):
    """Where work reports to."""

    def note(self, message: str) -> None:
        """Say something once."""

    def working(self, job: Job) -> AbstractContextManager[Callable[[int, str], None]]:
        """Announce a job, follow it while the block lasts, and say how long it took."""


def progress_on(console: Console) -> Progress:
    """The form that fits the console."""
    return TerminalProgress(console) if console.is_terminal else PlainProgress(console)


class TerminalProgress:
    """A bar that is gone when the job is done, and one line that stays."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def note(self, message: str) -> None:
        self._console.print(escape(message), highlight=False)

    @contextmanager
    def working(self, job: Job) -> Iterator[Callable[[int, str], None]]:
        self.note(_announcement(job))
        start = time.monotonic()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            TextColumn(f"of about {duration(job.expected_seconds)}"),
        )
        with RichProgress(*columns, console=self._console, transient=True) as bars:
            task = bars.add_task(escape(job.title), total=job.parts or None, amount="")

            def report(done: int, doing: str) -> None:
                bars.update(task, completed=min(done, job.parts), amount=escape(_amount(job, done) or doing[:60]))

            yield report
        self.note(f"  {job.title}: done in {duration(time.monotonic() - start)}")


class PlainProgress:
    """Lines for a log file: what starts, a heartbeat, what has ended."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock

    def note(self, message: str) -> None:
        self._console.print(escape(message), highlight=False, soft_wrap=True)

    @contextmanager
    def working(self, job: Job) -> Iterator[Callable[[int, str], None]]:
        self.note(_announcement(job))
        start = last = self._clock()

        def report(done: int, doing: str) -> None:
            nonlocal last
            now = self._clock()
            if now - last >= HEARTBEAT_SECONDS:
                last = now
                elapsed = f"{duration(now - start)} of about {duration(job.expected_seconds)}"
                self.note(
                    ", ".join(part for part in (f"  {job.title}: {elapsed}", _amount(job, done) or doing) if part)
                )

        yield report
        self.note(f"  {job.title}: done in {duration(self._clock() - start)}")


def duration(seconds: float) -> str:
    """`45 s`, `6 min`, `2 min 30 s`."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def _announcement(job: Job) -> str:
    return f"{job.title} (about {duration(job.expected_seconds)}, once): {job.purpose}"


def _amount(job: Job, done: int) -> str:
    return f"{done:,} of about {job.parts:,} {job.unit}" if job.parts and done else ""
