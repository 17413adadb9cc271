"""Numbers about many answers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """In milliseconds. A percentile is the smallest value that so many of all do not exceed."""

    count: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    most: float


def latency(seconds: Sequence[float]) -> Latency:
    """`seconds` may not be empty."""
    ranked = sorted(1000 * one for one in seconds)
    p50, p90, p95, p99 = (percentile(ranked, part) for part in (0.50, 0.90, 0.95, 0.99))
    return Latency(len(ranked), round(statistics.fmean(ranked), 2), p50, p90, p95, p99, round(ranked[-1], 2))


def percentile(ranked: Sequence[float], part: float) -> float:
    return round(ranked[max(0, math.ceil(part * len(ranked)) - 1)], 2)
