"""Printing for people: colours on a terminal, and the same words in the same places without them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

GAP = 3
"""Spaces between two columns, as kubectl leaves them."""


def show(parts: Iterable[Text]) -> None:
    """Print to standard output. NO_COLOR and TERM are heeded; nothing is cut or wrapped, as by kubectl."""
    console = Console(highlight=False)
    for part in parts:
        console.print(part, soft_wrap=True)


def table(headings: Sequence[str], given: Iterable[Sequence[str | Text]]) -> Text:
    """Lines of columns, each as wide as what it holds."""
    rows = [[plain(cell) if isinstance(cell, str) else cell for cell in row] for row in given]
    if any(headings):
        rows.insert(0, [Text(heading, style="dim") for heading in headings])
    widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
    return Text("\n").join(_line(row, widths) for row in rows)


def _line(row: Sequence[Text], widths: Sequence[int]) -> Text:
    cells = [cell.copy() for cell in row]
    for cell, width in zip(cells[:-1], widths, strict=False):
        cell.pad_right(width + GAP - cell.cell_len)
    line = Text().join(cells)
    line.rstrip()
    return line


def plain(text: str) -> Text:
    """One line that does nothing to a terminal: a container's last words are anybody's."""
    return Text("".join(each if each.isprintable() else ascii(each)[1:-1] for each in " ".join(text.split())))


def good(text: str) -> Text:
    return Text(text, style="green")


def bad(text: str) -> Text:
    return Text(text, style="bold red")


def uneasy(text: str) -> Text:
    return Text(text, style="yellow")
