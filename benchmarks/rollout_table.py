"""How long rollouts took, as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from origin import origin

HEAD = (
    "| rollout | judged by | from | decided after, s | traffic back on stable after, s | canary requests/s "
    "| requests, failed | load average |"
)


def rollout_lines(path: Path) -> Iterator[str]:
    """The figures in `path`; nothing where none were taken yet."""
    if not path.exists():
        return
    run = json.loads(path.read_text())
    yield f"{origin(run)}\n"
    yield HEAD
    yield "|---|---|---|---:|---:|---:|---:|---:|"
    for story in run["stories"]:
        yield _row(story)
    yield ""


def _row(story: Mapping[str, Any]) -> str:
    takes = story["takes"]
    cells = (
        story["name"],
        story["judged_by"],
        story["began"],
        _spread(story["decided_seconds"]),
        _spread(story["back_seconds"]),
        _range([take["canary_rate"] for take in takes]),
        f"{sum(take['requests'] for take in takes):,}, {sum(take['failed'] for take in takes):,}",
        _range([take["load_average"] for take in takes]),
    )
    return f"| {' | '.join(cells)} |"


def _spread(spread: Mapping[str, float] | None) -> str:
    if spread is None:
        return ""
    return f"{spread['median']:.0f} ({spread['least']:.0f} to {spread['most']:.0f}, n = {spread['count']})"


def _range(values: list[float]) -> str:
    least, most = min(values), max(values)
    return f"{least:.0f}" if round(least) == round(most) else f"{least:.0f} to {most:.0f}"
