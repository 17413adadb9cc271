"""A small graph of saturation against replicas, drawn with characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

HEIGHT = 8
WIDTH = 64
_EIGHTHS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Sample:
    """Seconds since the start, mean saturation of the serving pods (1.0 is the load line), ready replicas."""

    seconds: float
    saturation: float
    replicas: int


def draw(samples: Sequence[Sample], target: float) -> Text:
    """Bars of saturation with a line at `target`, the number of replicas under each bar, and the time axis.

    A number names the middle of its row, where the line is drawn too: the scale is such that `target` is one of them.
    """
    columns = _columns(samples)
    highest = max((sample.saturation for sample in columns), default=0.0)
    target_row = _target_row(target, highest)
    top = target / (target_row + 0.5) * HEIGHT
    text = Text()
    for row in reversed(range(HEIGHT)):
        is_target = row == target_row
        text.append(f"{(row + 0.5) * top / HEIGHT:7.2f} ", style="dim")
        text.append("┤" if is_target else "│", style="dim")
        for sample in columns:
            text.append(*_cell(sample, row, top, is_target=is_target))
        text.append(f"  target {target:.2f}\n" if is_target else "\n", style="yellow")
    text.append("        └" + "─" * len(columns) + "\n", style="dim")
    text.append("replicas ", style="dim")
    for sample in columns:
        text.append(str(sample.replicas) if sample.replicas < 10 else "+", style="bold green")
    last = samples[-1].seconds if samples else 0.0
    text.append(f"\n         0 s{' ' * max(1, len(columns) - 9)}{last:.0f} s", style="dim")
    return text


def _target_row(target: float, highest: float) -> int:
    """The highest row but the last that leaves room above the line for `highest`."""
    for row in reversed(range(1, HEIGHT - 1)):
        if target / (row + 0.5) * HEIGHT >= highest:
            return row
    return 0


def _columns(samples: Sequence[Sample]) -> list[Sample]:
    """At most WIDTH samples, evenly spread."""
    if len(samples) <= WIDTH:
        return list(samples)
    return [samples[index * len(samples) // WIDTH] for index in range(WIDTH)]


def _cell(sample: Sample, row: int, top: float, *, is_target: bool) -> tuple[str, str]:
    eighths = int(sample.saturation / top * HEIGHT * 8) - row * 8
    if eighths <= 0 and is_target:
        return "╌", "yellow"
    return _EIGHTHS[max(0, min(8, eighths))], "red" if sample.saturation > 1 else "blue"
