"""Tells what is being done and how long it will take: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Advance = Callable[[str], None]
"""One more is done; the text says how it stands."""


class Reporter:
    """Writes to one console; without a terminal, a line at most every `seconds_between_lines`."""

    def __init__(self, console: Console, seconds_between_lines: float = 5.0) -> None:
        self._console = console
        self._seconds_between_lines = seconds_between_lines

    def say(self, text: str) -> None:
        self._console.print(escape(text), highlight=False, soft_wrap=True)

    @contextmanager
    def work(self, title: str, total: int) -> Iterator[Advance]:
        """Follow `total` pieces of work for as long as the block lasts."""
        start = time.monotonic()
        with self._bar(title, total) if self._console.is_terminal else self._lines(title, total) as advance:
            yield advance
        self.say(f"{title}: done in {time.monotonic() - start:.0f} s")

    @contextmanager
    def _bar(self, title: str, total: int) -> Iterator[Advance]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
        )
        with Progress(*columns, console=self._console, transient=True) as bars:
            task = bars.add_task(escape(title), total=total, state="")
            yield lambda state: bars.update(task, advance=1, state=escape(state))

    @contextmanager
    def _lines(self, title: str, total: int) -> Iterator[Advance]:
        start = last = time.monotonic()
        done = 0

        def advance(state: str) -> None:
            nonlocal last, done
            done += 1
            now = time.monotonic()
            if now - last >= self._seconds_between_lines:
                last = now
                left = (now - start) / done * (total - done)
                self.say(f"{title}: {done} of {total}, about {left:.0f} s left {state}".rstrip())

        yield advance
