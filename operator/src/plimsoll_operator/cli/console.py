"""Printing for people: colours on a terminal, and the same words in the same places without them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH = 200
"""Columns where there is no terminal: nothing is wrapped at 80 in a log or a pipe."""


def console() -> Console:
    """Standard output. NO_COLOR and TERM are heeded."""
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False, soft_wrap=False)


def table(headings: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """Columns as kubectl prints them; only the last one is wrapped."""
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim", show_header=any(headings))
    for heading in headings:
        made.add_column(heading, no_wrap=heading != headings[-1], overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def good(text: str) -> Text:
    return Text(text, style="green")


def bad(text: str) -> Text:
    return Text(text, style="bold red")


def uneasy(text: str) -> Text:
    return Text(text, style="yellow")
