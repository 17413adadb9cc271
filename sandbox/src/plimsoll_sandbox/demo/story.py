"""How the demo tells what happens: numbered steps, each with its time, and one clear end when something fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

INDENTED = (0, 0, 0, 6)


class DemoError(Exception):
    """Something failed; `log` is the file that says more."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


def from_home(path: Path) -> str:
    """As a shell takes it, without the name of the user."""
    return str(path).replace(str(Path.home()), "~")


class Story:
    """Prints steps as they happen."""

    def __init__(self, console: Console, steps: int) -> None:
        self.console = console
        self._steps = steps
        self._step = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One numbered step; its time is printed when it is done."""
        self._step += 1
        self.console.print(f"\n[bold cyan]\\[{self._step}/{self._steps}][/] [bold]{title}[/]")
        started = time.monotonic()
        yield
        self.console.print(f"      [dim]{time.monotonic() - started:.1f} s[/]")

    def say(self, line: str) -> None:
        self._line(line)

    def moment(self, seconds: float, line: str) -> None:
        """What happened so many seconds after the beginning; a long line goes on below its own start."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(justify="right", min_width=5)
        grid.add_row(f"{seconds:.0f} s", line)
        self.console.print(Padding(grid, INDENTED, expand=False))

    def output(self, text: str) -> None:
        """What a command printed, broken where a terminal would break it."""
        for line in text.splitlines():
            # An empty line has no height of its own in a padding.
            self.console.print(Padding(Text(line or " ", overflow="fold"), INDENTED, expand=False))

    def show(self, what: RenderableType) -> None:
        self.console.print(what)

    def command(self, line: str) -> None:
        """A command as the reader could type it; never broken, so that it can be copied."""
        self._line(f"[dim]$[/] [green]{escape(line)}[/]")

    def _line(self, markup: str) -> None:
        """A terminal breaks what is too long for it; a picture would cut it off."""
        if self.console.record:
            self.console.print(Padding(Text.from_markup(markup, overflow="fold"), INDENTED, expand=False))
        else:
            self.console.print(f"      {markup}", soft_wrap=True)
