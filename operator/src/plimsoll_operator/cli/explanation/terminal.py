"""The evidence over time in characters. Each signal has a mark of its own, so nothing depends on colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from rich.text import Text

from plimsoll_operator.cli.explanation.curves import Curves
from plimsoll_operator.cli.explanation.wording import naming, span

WIDTH, ROWS_A_POWER = 64, 3
MARKS = {"errors": "●", "latency": "▲", "oom": "■", "restarts": "◆"}
COLOURS = {"errors": "red", "latency": "blue", "oom": "yellow", "restarts": "cyan"}
"""Told apart by most who see few colours; the marks tell the rest."""
_AXIS, _LINE, _STEP, _END = "┤", "┄", "┊", "┃"

Cell = tuple[str, str]


def draw(curves: Curves) -> Text:
    """Lines of a plot, `WIDTH` columns beside the axis."""
    grid = _grid(curves)
    labels = _labels(curves)
    lines = [Text("evidence against the canary (log scale)", style="dim")]
    for row, cells in enumerate(grid):
        line = Text(f"{labels.get(row, ''):>8} ", style="dim").append(_AXIS)
        lines.append(line.append_text(Text.assemble(*cells)))
    return Text("\n").join([*lines, *_time_axis(curves), Text(), _legend(curves)])


def _grid(curves: Curves) -> list[list[Cell]]:
    """Rows from the top. What matters most is drawn last: lines, then signals, the strongest on top."""
    rows = (curves.high - curves.low) * ROWS_A_POWER + 1
    grid: list[list[Cell]] = [[(" ", "")] * WIDTH for _ in range(rows)]
    for step in curves.steps[1:]:
        _column(grid, _x(curves, step.seconds), _STEP)
    if curves.threshold is not None:
        grid[_row(curves, curves.threshold)] = [(_LINE, "bold")] * WIDTH
    if curves.verdict:
        _column(grid, WIDTH - 1, _END)
    for curve in sorted(curves.curves, key=lambda curve: curve.points[-1][1]):
        for x in range(WIDTH):
            power = curve.at(x * curves.end / (WIDTH - 1))
            if power is not None:
                grid[_row(curves, power)][x] = (_mark(curve.signal), COLOURS.get(curve.signal, ""))
    return grid


def _column(grid: list[list[Cell]], x: int, mark: str) -> None:
    for row in grid:
        row[x] = (mark, "dim")


def _row(curves: Curves, power: float) -> int:
    return round((curves.high - min(power, curves.high)) * ROWS_A_POWER)


def _x(curves: Curves, seconds: float) -> int:
    return min(WIDTH - 1, round(seconds / curves.end * (WIDTH - 1)))


def _labels(curves: Curves) -> dict[int, str]:
    powers = {_row(curves, power): f"{10.0**power:,.10g}" for power in range(curves.low, curves.high + 1)}
    if curves.threshold is not None:
        powers[_row(curves, curves.threshold)] = f"{10**curves.threshold:,.0f}"
    return powers


def _time_axis(curves: Curves) -> Iterator[Text]:
    """The times, and below them the steps and the decision."""
    gap = " " * 9
    yield Text(f"{gap}└{'─' * WIDTH}", style="dim")
    times = [(0, "0s"), (WIDTH // 2, span(timedelta(seconds=curves.end / 2))), (WIDTH - 1, _end(curves))]
    yield Text(gap + " " + _placed(times), style="dim")
    steps = [(_x(curves, step.seconds), f"{step.weight} %") for step in curves.steps]
    last = [(WIDTH - 1, f"{'✓' if curves.verdict == 'promoted' else '✕'} {curves.verdict}")]
    yield Text(gap + " " + _placed(steps + (last if curves.verdict else [])))


def _end(curves: Curves) -> str:
    return span(timedelta(seconds=curves.end))


def _placed(words: Sequence[tuple[int, str]]) -> str:
    """Words at their columns; one that has no room is left out, but never the last."""
    line = ""
    *others, (last_x, last) = words
    for x, word in others:
        if len(line) <= x and x + len(word) < last_x:
            line = f"{line:<{x}}{word} "
    return f"{line:<{last_x}}{last}"


def _legend(curves: Curves) -> Text:
    marks = [
        Text.assemble((_mark(curve.signal), COLOURS.get(curve.signal, "")), f" {naming(curve.signal).called}")
        for curve in curves.curves
    ]
    line = (
        [Text(f"{_LINE * 2} rolled back above{curves.exceptions}", style="bold")]
        if curves.threshold is not None
        else []
    )
    return Text(" " * 10) + Text("   ").join([*marks, *line])


def _mark(signal: str) -> str:
    return MARKS.get(signal, "○")
