"""What was measured, as it is judged by the tests and kept in benchmarks/."""

from __future__ import annotations

import json
import math
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from origin import ROOT as ROOT
from origin import commit, packages
from origin import machine as machine
from origin import today as today
from plimsoll_sandbox.toolchain.recipes import KUBERNETES, KWOK

_PACKAGES = ("kopf", "kubernetes", "aiohttp", "pydantic")


@dataclass(frozen=True)
class Spread:
    """A distribution in seconds."""

    count: int
    p50: float
    p99: float
    longest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        ranked = sorted(values)
        return cls(len(ranked), _quantile(ranked, 0.5), _quantile(ranked, 0.99), round(ranked[-1], 3) if ranked else 0)


@dataclass(frozen=True)
class Phase:
    """One part of the measurement. Requests are the operator's, without watches and without its Lease."""

    name: str
    seconds: float
    reconcile_seconds: Spread
    request_seconds: dict[str, Spread]  # by verb, as the apiserver took
    requests: int
    writes: int
    requests_per_object: float
    cpu_percent: float  # of one core
    resident_mib: float  # the most that was seen
    queue_age_seconds: float  # the most that was seen
    load_average: float  # of the whole machine: what else runs on it makes everything slower
    refused: int  # 4xx and 5xx but what is an answer: "not found", and an Event that is there already
    requests_by_kind: dict[str, int]
    seconds_to_ready: Spread | None = None


@dataclass(frozen=True)
class Memory:
    """Resident memory of an operator at rest; `first` and `last` are medians of the first and the last quarter."""

    minutes: float
    first_mib: float
    last_mib: float
    most_mib: float
    series: list[tuple[float, float]]  # minute, MiB


@dataclass(frozen=True)
class Figures:
    """All of one run."""

    command: str
    date: str
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    objects: int
    phases: list[Phase]
    memory_at_rest: Memory

    def phase(self, name: str) -> Phase:
        return next(phase for phase in self.phases if phase.name == name)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def memory_of(series: Sequence[tuple[float, float]]) -> Memory:
    """`series` of (minute, MiB), at least four of them."""
    quarter = len(series) // 4
    values = [mib for _, mib in series]
    step = max(1, len(series) // 60)
    return Memory(
        minutes=round(series[-1][0] - series[0][0], 1),
        first_mib=round(statistics.median(values[:quarter]), 1),
        last_mib=round(statistics.median(values[-quarter:]), 1),
        most_mib=round(max(values), 1),
        series=[(round(minute, 1), round(mib, 1)) for minute, mib in series[::step]],
    )


def versions() -> dict[str, str]:
    ours = {"plimsoll": commit(), "kubernetes": KUBERNETES, "kwok": KWOK}
    return ours | {"python": platform.python_version()} | packages(_PACKAGES)


def _quantile(ranked: Sequence[float], part: float) -> float:
    """The value that this part of all does not exceed."""
    return round(ranked[max(0, math.ceil(part * len(ranked)) - 1)], 3) if ranked else 0.0
