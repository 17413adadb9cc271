"""The test martingale: how much better "worse than allowed" explains the counts than "no worse than allowed".

In one stratum and interval, with c and b exposures of canary and stable, x and y bad events of theirs, w = c / (c + b)
and θ(ψ) = ψw / (ψw + 1 - w), the chance that a bad event is the canary's where its risk is ψ times the stable's:

    L(ψ) = Σ over strata of  x ln(θ(ψ) / θ(ψ0)) + y ln((1 - θ(ψ)) / (1 - θ(ψ0)))
         = Σ over strata of  x ln(ψ / ψ0) - (x + y) ln((ψw + 1 - w) / (ψ0 w + 1 - w))

the logarithm of Wald's likelihood ratio (Ann. Math. Statist. 16, 1945) given how many events there were, so a common
rise of both rates is no evidence, and neither is a shift in the mix of tiers. E = mean over ψ of exp(Σ over intervals
of L(ψ)), Robbins' mixture (Ann. Math. Statist. 41, 1970; for counts Lindon & Malek, NeurIPS 2022), has an expectation
of at most 1 at any time while the canary's risk is at most ψ0 times the stable's, so that by Ville (1939)
P(E ever ≥ 1/α) ≤ α. That holds for events that are Poisson, and for shares of requests too, since E[exp(aX)] of a
binomial X is below that of a Poisson one. It goes on holding where L is replaced by something smaller.

Where more than half of what both do is bad, the good events are counted in this way, with the sides exchanged, and the
canary is as good while the stable revision's chance of a good one is at most ψ0 times the canary's. Which way a stratum
is looked at depends on x + y alone. Given x + y, x of a canary that is equal is hypergeometric, and E[exp(aX)] of that
is below the binomial one's (Hoeffding, J. Amer. Statist. Assoc. 58, 1963).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import exp, log

from plimsoll_operator.rollout.evidence.counts import Counts

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
"""ψ / ψ0 of the alternatives that are mixed."""

FLAT = (0.0,) * len(RATIOS)
_LOG_RATIOS = tuple(log(ratio) for ratio in RATIOS)


def log_likelihood_ratios(strata: Iterable[Counts], tolerated_ratio: float) -> tuple[float, ...]:
    """L(ψ) of one interval for each of `RATIOS`, in nats. Each stratum has exposures of both sides."""
    sums = FLAT
    for counts in strata:
        events = counts.canary_bad + counts.stable_bad
        if events == 0:
            continue
        norms = _log_norms(counts.canary / (counts.canary + counts.stable), tolerated_ratio)
        canary_bad, rows = counts.canary_bad, zip(sums, _LOG_RATIOS, norms, strict=True)
        sums = tuple([total + canary_bad * log_ratio - events * norm for total, log_ratio, norm in rows])
    return sums


@lru_cache(maxsize=64)  # the buckets of a histogram all have the same shares
def _log_norms(share: float, tolerated_ratio: float) -> tuple[float, ...]:
    base = tolerated_ratio * share + 1 - share
    return tuple(log((ratio * tolerated_ratio * share + 1 - share) / base) for ratio in RATIOS)


def log_mean_exp(values: Iterable[float]) -> float:
    """ln of the mean of exp(value), without overflow."""
    values = tuple(values)
    return log_weighted_mean_exp(values, (1.0,) * len(values))


def log_weighted_mean_exp(values: Sequence[float], weights: Sequence[float]) -> float:
    """The same, of values that do not count alike."""
    top = max(values)
    total = sum([weight * exp(value - top) for value, weight in zip(values, weights, strict=True)], 0.0)
    return top + log(total / sum(weights, 0.0))
