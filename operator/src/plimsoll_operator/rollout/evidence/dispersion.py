"""How much a burst may say: pods are noisier than coins, and one bad moment of one pod is no bad revision.

A pod's own risk wanders: where it has the relative variance ρ from one interval to the next, the canary's count has the
variance μ + ρμ² instead of μ, and the likelihood ratio is too sure of itself by 1 + ρμ (overdispersion, as in
Wedderburn's quasi-likelihood, Biometrika 61, 1974). So each interval's L is tempered:

    η = 1 / (1 + ρ μ),   μ = canary's exposures × the stable revision's bad rate so far

With few events η is 1 and nothing is lost; with many, an interval's worth of them says at most about what one look at
two noisy pods can say. μ is known before the interval's events are, and E[exp(ηL)] ≤ E[exp(L)]^η ≤ 1 (Jensen), so the
promise of `mixture` holds for any η in [0, 1] chosen like this (tempering: Grünwald, ALT 2012).

On top of that, an interval adds somewhat less than half the logarithm of the threshold: neither one nor two intervals
ever decide. What callers do themselves, giving up or asking for something invalid, sticks to their connection, and that
to one pod for a minute or so (the server's PLIMSOLL_CONNECTION_MAX_AGE_SECONDS): it takes two minutes of it to decide.
Less than L is always allowed.
"""

from __future__ import annotations

from datetime import timedelta

from plimsoll_operator.rollout.evidence.counts import CALLERS, SeriesKey
from plimsoll_operator.rollout.evidence.settings import AnalysisSettings

NOISE_VARIANCE = 1.0
"""ρ: a pod's risk wanders by as much as itself. Chosen by simulation: docs/rollout-evidence.md."""

MOST_SHARE = 0.49
"""Of the way to the threshold, that one interval may go."""

CALLERS_TIME = timedelta(minutes=2)
"""How long what callers do has to last: two lives of a connection."""


def temper(expected: float) -> float:
    """η where the canary expects so many bad events in the interval."""
    return 1 / (1 + NOISE_VARIANCE * expected)


def most(key: SeriesKey, settings: AnalysisSettings) -> float:
    """Nats that one interval may add to any alternative."""
    share = min(MOST_SHARE, settings.interval / CALLERS_TIME) if key in CALLERS else MOST_SHARE
    return share * settings.log_threshold
