"""Thousands of rollouts, simulated once and judged by several tests. What is kept in .local/statistics goes on."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from simulation import report
from simulation.scenarios import NULL, WORSE
from simulation.trials import ROOT, simulate

FULL = 10_000


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rollouts", type=int, default=FULL, help="how many healthy rollouts of each scenario")
    parser.addoption("--processes", type=int, default=os.cpu_count() or 1, help="how many are simulated at once")


@dataclass(frozen=True)
class Run:
    healthy: dict[str, report.Figures]
    worse: dict[str, report.Figures]


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Run:
    """All figures, written down before anything is judged: a full run's in benchmarks/, another's in .local/."""
    rollouts, processes = request.config.getoption("--rollouts"), request.config.getoption("--processes")
    good = {s.name: report.healthy(s, tallies) for s, tallies in simulate(NULL, rollouts, processes)}
    bad = {s.name: report.worse(s, tallies) for s, tallies in simulate(WORSE, max(rollouts // 10, 250), processes)}
    folder = ROOT / "benchmarks" if rollouts >= FULL else ROOT / ".local" / "benchmarks"
    command = f"make test-statistics ROLLOUTS={rollouts}"
    in_order = ([good[s.name] for s in NULL], [bad[s.name] for s in WORSE])
    report.write(folder / "rollout-statistics.json", command, *in_order)
    return Run(good, bad)
