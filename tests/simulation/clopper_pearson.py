"""Exact bounds of a share that was counted (Clopper & Pearson, Biometrika 26, 1934)."""

from __future__ import annotations

from math import exp, lgamma, log, log1p

HALVINGS = 60


def upper(hits: int, trials: int, confidence: float = 0.95) -> float:
    """The share at which so few hits have a chance of `1 - confidence`."""
    if hits >= trials:
        return 1.0
    low, high = hits / trials, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(hits, trials, middle) > 1 - confidence else (low, middle)
    return high


def _at_most(hits: int, trials: int, share: float) -> float:
    """P(X ≤ hits) of a binomial X."""
    if share >= 1:
        return 0.0
    return sum(
        exp(_log_choose(trials, k) + (k * log(share) if k else 0.0) + (trials - k) * log1p(-share))
        for k in range(hits + 1)
    )


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
