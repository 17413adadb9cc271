"""How time grows with the length: which law its figures follow. Pure arithmetic."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from plimsoll_server.bench.massive.measure import Row

LAWS: Mapping[str, Callable[[float], float]] = {
    "n log n": lambda tokens: tokens * math.log2(max(2, tokens)),
    "n²": lambda tokens: tokens * tokens,
}
_LEAST_LENGTHS = 3
"""Through two points either law can be drawn."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Of time = `seconds` · law(tokens), by least squares on the logarithms of the times: each length counts alike."""

    seconds: float
    off: float
    """Root of the mean square of log(measured / law): about the share by which the law misses a time."""


@dataclass(frozen=True, slots=True)
class Growth:
    model: str
    batch_size: int
    times: tuple[tuple[int, float], ...]
    """Tokens, and the mean seconds of a pass."""
    exponent: float
    """Of the power of the length that follows the times best, by least squares on both logarithms."""
    last_exponent: float
    """Of the two longest alone: at short lengths the products with weights, which are linear, hide the rest."""
    fits: Mapping[str, Fit]
    """By law."""


def growth(rows: Sequence[Row]) -> list[Growth]:
    """Of each model at the smallest batch that was measured at enough lengths; of a model without one, nothing."""
    found = []
    for model in dict.fromkeys(row.model for row in rows):
        for batch in sorted({row.batch_size for row in rows}):
            times = tuple(
                (row.seq_len, row.mean_time_ms / 1e3)
                for row in sorted(rows, key=lambda row: row.seq_len)
                if (row.model, row.batch_size) == (model, batch) and row.mean_time_ms
            )
            if len(times) >= _LEAST_LENGTHS:
                found.append(_growth(model, batch, times))
                break
    return found


def _growth(model: str, batch: int, times: tuple[tuple[int, float], ...]) -> Growth:
    lengths, seconds = ([math.log(number) for number in column] for column in zip(*times, strict=True))
    return Growth(
        model,
        batch,
        times,
        exponent=statistics.linear_regression(lengths, seconds).slope,
        last_exponent=(seconds[-1] - seconds[-2]) / (lengths[-1] - lengths[-2]),
        fits={name: _fit(law, times) for name, law in LAWS.items()},
    )


def _fit(law: Callable[[float], float], times: Sequence[tuple[int, float]]) -> Fit:
    ratios = [math.log(seconds / law(tokens)) for tokens, seconds in times]
    return Fit(math.exp(statistics.fmean(ratios)), statistics.pstdev(ratios))
