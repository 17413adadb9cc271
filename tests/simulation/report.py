"""The tallies as figures: what the tests judge, benchmarks/ keeps and the page of benchmarks shows."""

from __future__ import annotations

import importlib.metadata
import json
import math
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scale.figures import machine, today, versions
from simulation import clopper_pearson
from simulation.scenarios import INTERVAL_SECONDS, Scenario
from simulation.trials import HELD_EVERY, PLIMSOLL, Tallies, Tally

Figures = dict[str, Any]


def healthy(scenario: Scenario, tallies: Tallies) -> Figures:
    return {"scenario": scenario.name, "rules": {rule: _of_good(rule, tally) for rule, tally in tallies.items()}}


def worse(scenario: Scenario, tallies: Tallies) -> Figures:
    return {"scenario": scenario.name, "rules": {rule: _of_bad(tally) for rule, tally in tallies.items()}}


def write(path: Path, command: str, good: Iterable[Figures], bad: Iterable[Figures]) -> None:
    packages = {f"python package {name}": importlib.metadata.version(name) for name in ("numpy",)}
    run = {
        "command": command,
        "date": today(),
        "machine": machine(),
        "versions": {"plimsoll": versions()["plimsoll"], "python": platform.python_version()} | packages,
        "healthy": list(good),
        "worse": list(bad),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run, indent=1) + "\n")


def _of_good(rule: str, tally: Tally) -> Figures:
    """Those that are never to be promoted are no measure of promotion."""
    rolled_back, rollouts = tally.decisions["Rollback"], tally.rollouts
    held = rollouts // HELD_EVERY if rule == PLIMSOLL else 0
    promoted = tally.ended.get("Promote", [])
    return {
        "rollouts": rollouts,
        "rolled_back": rolled_back,
        "rolled_back_at_most": round(clopper_pearson.upper(rolled_back, rollouts), 6),
        "promoted": round(len(promoted) / (rollouts - held), 4),
        "paused": round(tally.decisions["Paused"] / rollouts, 4),
        "requests_to_promotion": _spread([requests for _, requests in promoted], len(promoted)),
        "by_signal": dict(tally.signals),
    }


def _of_bad(tally: Tally) -> Figures:
    """Percentiles are of all rollouts: what was never taken back took for ever."""
    ended = tally.ended.get("Rollback", [])
    return {
        "rollouts": tally.rollouts,
        "rolled_back": round(len(ended) / tally.rollouts, 4),
        "promoted": round(tally.decisions["Promote"] / tally.rollouts, 4),
        "paused": round(tally.decisions["Paused"] / tally.rollouts, 4),
        "requests": _spread([requests for _, requests in ended], tally.rollouts),
        "seconds": _spread([intervals * INTERVAL_SECONDS for intervals, _ in ended], tally.rollouts),
    }


def _spread(values: Sequence[int], of: int) -> list[int | None]:
    """Median and 90th percentile of `of` values, of which those that are missing are larger than all."""
    ranked: list[int | None] = [*sorted(values), *[None] * (of - len(values))]
    return [ranked[math.ceil(part * of) - 1] if of else None for part in (0.5, 0.9)]
