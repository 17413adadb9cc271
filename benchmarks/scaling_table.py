"""How soon pods follow a load, as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from origin import origin


def scaling_lines(path: Path) -> Iterator[str]:
    """The figures in `path`; nothing where none were taken yet."""
    if not path.exists():
        return
    run = json.loads(path.read_text())
    loads = ", ".join(f"{load:.0f}" for load in run["load_average"])
    yield f"{origin(run)} Load average at the end of each take: {loads}.\n"
    yield "| pods wanted | asked for after, s | all ready after, s | looks of the autoscaler |"
    yield "|---:|---:|---:|---:|"
    for rise in run["rises"]:
        cells = [
            _spread(rise[name], digits) for name, digits in (("asked_seconds", 1), ("ready_seconds", 1), ("looks", 0))
        ]
        yield f"| {rise['pods']} | {' | '.join(cells)} |"
    yield ""


def _spread(spread: Mapping[str, float], digits: int) -> str:
    least, median, most = (f"{spread[name]:.{digits}f}" for name in ("least", "median", "most"))
    return f"{median} ({least} to {most}, n = {spread['count']})"
