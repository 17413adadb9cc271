"""How long rollouts took, as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from origin import origin

HEAD = (
    "| rollout | judged by | from | decided after, s | traffic back on stable after, s | canary requests/s "
    "| requests, failed | load average |"
)


BACK_SECONDS = 60
"""From the first bad response until all traffic is on stable, that is aimed at."""


def rollout_lines(path: Path) -> Iterator[str]:
    """The figures in `path`; nothing where none were taken yet."""
    if not path.exists():
        return
    runs = json.loads(path.read_text())["runs"]
    for run in runs:
        yield f"{origin(run)}\n"
        yield HEAD
        yield "|---|---|---|---:|---:|---:|---:|---:|"
        for story in run["stories"]:
            yield _row(story)
        yield ""
    yield from _within([story for run in runs for story in run["stories"]])


def _within(stories: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How many were back in time; none late of n tells of a share of 0.05 to the power of 1/n (Clopper-Pearson)."""
    takes = [take for story in stories for take in story["takes"] if take["back_seconds"] is not None]
    if not takes:
        return
    late = sum(take["back_seconds"] > BACK_SECONDS for take in takes)
    told = f"Back on stable within {BACK_SECONDS} s of the first bad response: {len(takes) - late} of {len(takes)}"
    sure = f", from which follows that at least {100 * 0.05 ** (1 / len(takes)):.0f} % of such are (95 % sure)"
    yield f"{told}{'' if late else sure}.\n"


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
