"""Rollouts by the thousand, in chunks: each chunk has a seed of its own and is kept, so that a run can go on later."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from plimsoll_operator.rollout import evidence
from simulation import plimsoll_rule, threshold_rules
from simulation.outcome import Outcome
from simulation.scenarios import SETTINGS, Scenario
from simulation.traces import draw

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".local" / "statistics"
CHUNK = 250
HELD_EVERY = 25
"""Every so-manieth rollout is never promoted, as in a pause: protection must go on, without false alarms."""
PLIMSOLL = "Plimsoll"
IRRELEVANT = ("test_", "conftest", "report", "wording", "clopper_pearson", "trials")


@dataclass
class Tally:
    """Outcomes of one rule: how many of each decision, the signals that decided, and [intervals, requests] of each."""

    decisions: Counter[str] = field(default_factory=Counter)
    signals: Counter[str] = field(default_factory=Counter)
    ended: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        self.decisions[outcome.decision] += 1
        self.ended.setdefault(outcome.decision, []).append((outcome.intervals, outcome.requests))
        if outcome.decision == "Rollback":
            self.signals[outcome.signal] += 1

    def merge(self, other: Tally) -> None:
        self.decisions += other.decisions
        self.signals += other.signals
        for decision, ended in other.ended.items():
            self.ended.setdefault(decision, []).extend(ended)

    @property
    def rollouts(self) -> int:
        return self.decisions.total()


Tallies = dict[str, Tally]


def simulate(scenarios: Sequence[Scenario], rollouts: int, processes: int) -> Iterator[tuple[Scenario, Tallies]]:
    """Each scenario's tallies as soon as its last chunk is there."""
    chunks = -(-rollouts // CHUNK)
    with ProcessPoolExecutor(processes) as pool:
        futures = {
            pool.submit(kept_chunk, scenario, number, min(CHUNK, rollouts - number * CHUNK)): scenario
            for number in range(chunks)
            for scenario in scenarios
        }
        begun, left = time.monotonic(), Counter(futures.values())
        tallies: dict[str, Tallies] = {scenario.name: {} for scenario in scenarios}
        for done, future in enumerate(as_completed(futures), 1):
            scenario = futures[future]
            for rule, tally in future.result().items():
                tallies[scenario.name].setdefault(rule, Tally()).merge(tally)
            left[scenario] -= 1
            _show(done, len(futures), begun, scenario.name)
            if not left[scenario]:
                yield scenario, tallies[scenario.name]


def kept_chunk(scenario: Scenario, number: int, rollouts: int) -> Tallies:
    """From an earlier run of the same code, else simulated now."""
    path = KEPT / code_digest() / f"{crc32(repr(scenario).encode()):08x}-{number}-{rollouts}.json"
    if not path.exists():
        tallies = chunk(scenario, number, rollouts)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps({rule: _written(tally) for rule, tally in tallies.items()}))
        beside.replace(path)
    return {rule: _read(kept) for rule, kept in json.loads(path.read_text()).items()}


def chunk(scenario: Scenario, number: int, rollouts: int) -> Tallies:
    rng = np.random.default_rng([crc32(scenario.name.encode()), number])
    tallies = {rule: Tally() for rule in (PLIMSOLL, *threshold_rules.RULES)}
    healthy = scenario.is_healthy
    for rollout in range(rollouts):
        trace = draw(scenario, rng)
        held = healthy and rollout % HELD_EVERY == 0
        restarts = scenario.operator_restarts
        tallies[PLIMSOLL].add(plimsoll_rule.follow(trace, SETTINGS, rng, operator_restarts=restarts, held=held))
        for name, rule in threshold_rules.RULES.items():
            tallies[name].add(rule(trace))
    return tallies


def code_digest() -> str:
    """Of all code that a figure depends on, as it runs: comments and words may change."""
    sources = [*Path(evidence.__file__).parent.glob("*.py"), *Path(__file__).parent.glob("*.py")]
    relevant = [path for path in sorted(sources) if not path.name.startswith(IRRELEVANT)]
    return hashlib.sha256("\0".join(_bare(path.read_text()) for path in relevant).encode()).hexdigest()[:16]


def _bare(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [line for line in node.body if not _is_words(line)]
    return ast.dump(tree)


def _is_words(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)


def _written(tally: Tally) -> dict[str, Any]:
    return {"decisions": tally.decisions, "signals": tally.signals, "ended": tally.ended}


def _read(kept: dict[str, Any]) -> Tally:
    ended = {decision: [(int(n), int(m)) for n, m in pairs] for decision, pairs in kept["ended"].items()}
    return Tally(Counter(kept["decisions"]), Counter(kept["signals"]), ended)


def _show(done: int, of: int, begun: float, name: str) -> None:
    spent = time.monotonic() - begun
    sys.stderr.write(
        f"\r{done}/{of} chunks, {spent / 60:.0f} min, about {spent / done * (of - done) / 60:.0f} to go: {name:40s}"
    )
    sys.stderr.flush()
