"""How often rollouts are judged rightly, as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from origin import origin

Figures = Mapping[str, Any]

TARGETS: Mapping[str, tuple[int, int]] = {"errors 1 % for 0.1 %": (900, 1_800), "all latencies doubled": (100, 180)}
"""Canary requests until a worse canary is taken back, median and 90th percentile, that the design aims at; by how the
names of the scenarios begin."""

WHOLE_INTERVALS = "verdicts come by whole intervals of a hundred requests, three at least"
REASONS: Mapping[str, str] = {
    "10 canary requests/s": WHOLE_INTERVALS,
    "one pod each, 10/s": WHOLE_INTERVALS + ", and the stable revision's rate is as little known as the canary's",
}
"""Why more requests are needed, by how the names of the scenarios end. Of any other one the reason is to be found."""

LEAST_PROMOTED = 0.95


def statistics_lines(path: Path) -> Iterator[str]:
    """The figures in `path`; nothing where none were taken yet."""
    if not path.exists():
        return
    run = json.loads(path.read_text())
    yield f"{origin(run)}\n"
    yield from _promises(run["healthy"])
    yield from _beside(run["healthy"], "Good canaries that were taken back, in percent:", _taken_back)
    yield from _beside(run["worse"], "Worse canaries: taken back, in percent; after how many seconds (median):", _found)
    yield from _detection(run["worse"])


def _promises(scenarios: list[Figures]) -> Iterator[str]:
    yield "Good canaries, judged by Plimsoll:\n"
    yield "| scenario | rollouts | taken back | at most (95 % sure) | promoted | canary requests, median / 90th |"
    yield "|---|---:|---:|---:|---:|---:|"
    for scenario in scenarios:
        found = scenario["rules"]["Plimsoll"]
        yield (
            f"| {scenario['scenario']} | {found['rollouts']:,} | {found['rolled_back']} "
            f"| {100 * found['rolled_back_at_most']:.2f} % | {100 * found['promoted']:.2f} % "
            f"| {_spread(found['requests_to_promotion'])} |"
        )
    yield ""
    yield from _not_promoted(scenarios)


def _not_promoted(scenarios: list[Figures]) -> Iterator[str]:
    few = [scenario["scenario"] for scenario in scenarios if scenario["rules"]["Plimsoll"]["promoted"] < LEAST_PROMOTED]
    if few:
        yield f"Fewer than {100 * LEAST_PROMOTED:.0f} % promoted within half an hour: {'; '.join(few)}.\n"


def _detection(scenarios: list[Figures]) -> Iterator[str]:
    yield "Worse canaries, judged by Plimsoll:\n"
    requests = "canary requests, median / 90th | aimed at, at most"
    yield f"| canary | rollouts | taken back | promoted | {requests} | seconds, median / 90th |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for scenario in scenarios:
        found = scenario["rules"]["Plimsoll"]
        yield (
            f"| {scenario['scenario']} | {found['rollouts']:,} | {100 * found['rolled_back']:.1f} % "
            f"| {100 * found['promoted']:.1f} % | {_spread(found['requests'])} | {_aim(scenario)} "
            f"| {_spread(found['seconds'])} |"
        )
    yield ""
    yield from _missed([scenario for scenario in scenarios if _misses(scenario)])


def _target(scenario: Figures) -> tuple[int, int] | None:
    return next((target for name, target in TARGETS.items() if scenario["scenario"].startswith(name)), None)


def _aim(scenario: Figures) -> str:
    target = _target(scenario)
    return _spread(list(target)) if target else ""


def _misses(scenario: Figures) -> bool:
    target = _target(scenario)
    found = scenario["rules"]["Plimsoll"]["requests"]
    return target is not None and any(value is None or value > aim for value, aim in zip(found, target, strict=True))


def _missed(scenarios: list[Figures]) -> Iterator[str]:
    if not scenarios:
        return
    yield "**Missed**:\n"
    for scenario in scenarios:
        name = scenario["scenario"]
        reason = next((f": {why}" for end, why in REASONS.items() if name.endswith(end)), "")
        yield f"- {name}{reason}."
    yield ""


def _beside(scenarios: list[Figures], title: str, cell: Any) -> Iterator[str]:
    rules = list(scenarios[0]["rules"])
    yield f"{title}\n"
    yield f"| | {' | '.join(rules)} |"
    yield "|---|" + "---:|" * len(rules)
    for scenario in scenarios:
        yield f"| {scenario['scenario']} | {' | '.join(cell(scenario['rules'][rule]) for rule in rules)} |"
    yield ""


def _taken_back(found: Figures) -> str:
    share = 100 * found["rolled_back"] / found["rollouts"]
    asked = f" (+{100 * found['paused']:.0f} paused)" if found["paused"] >= 0.005 else ""
    return f"{share:.1f}{asked}"


def _found(found: Figures) -> str:
    paused = f" (+{100 * found['paused']:.0f} paused)" if found["paused"] >= 0.005 else ""
    median = found["seconds"][0]
    return f"{100 * found['rolled_back']:.0f}{paused}; {'never' if median is None else median}"


def _spread(pair: list[int | None]) -> str:
    return " / ".join("never" if value is None else f"{value:,}" for value in pair)
