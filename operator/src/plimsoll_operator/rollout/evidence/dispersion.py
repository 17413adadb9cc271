"""How much a burst may say: pods are noisier than coins, and one bad moment of one pod is no bad revision.

A pod's own risk wanders: where it has the relative variance v from one interval to the next, the canary's count has the
variance μ + vμ² instead of μ, and the likelihood ratio is too sure of itself by 1 + vμ (overdispersion, as in
Wedderburn's quasi-likelihood, Biometrika 61, 1974). It is the logarithm of the odds that wanders, with the variance ρ
(a random intercept of a logistic model: Williams, Appl. Statist. 31, 1982): so v = ρ (1 - p)² for a rate of p: ρ
for what is rare and less for what is common, since nothing is slow more often than always. So each interval's L is
tempered:

    η = 1 / (1 + Σ over strata of ρ (1 - p)² μ),   μ = the canary's exposures × p

of the events that are compared, bad ones or, where those are common, good ones. With few events η is 1 and nothing is
lost; with many, an interval's worth of them says at most about what one look at two noisy pods can say.

p is the stable revision's bad rate so far, over the canary's own mix. In the first interval, and for latencies always,
it is that of both sides together in the interval itself: latencies move with the load, and a noisy interval then counts
less by itself. For these μ is of the canary's or the stable revision's exposures, whichever are fewer: of a canary of
several pods it is what one pod has at most, and the noise of several goes by that. Neither depends on whose the
interval's events are, which is what L is about, so that E[exp(ηL)] ≤ E[exp(L)]^η ≤ 1 (Jensen), given how many events
there were: the promise of `mixture` holds for any η in [0, 1] chosen like this (tempering: Grünwald, ALT 2012).

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
"""ρ: a pod's odds of failing wander by as much as themselves. Chosen by simulation: docs/rollout-evidence.md."""

MOST_SHARE = 0.49
"""Of the way to the threshold, that one interval may go."""

CALLERS_TIME = timedelta(minutes=2)
"""How long what callers do has to last: two lives of a connection."""


def excess(exposures: float, rate: float) -> float:
    """By how much more than chance so many exposures of the canary vary in an interval at that rate: ρ(1 - p)²μ."""
    return NOISE_VARIANCE * (1 - rate) ** 2 * rate * exposures


def temper(excess: float) -> float:
    """η for what all strata vary more than chance."""
    return 1 / (1 + excess)


def most(key: SeriesKey, settings: AnalysisSettings) -> float:
    """Nats that one interval may add to any alternative."""
    share = min(MOST_SHARE, settings.interval / CALLERS_TIME) if key in CALLERS else MOST_SHARE
    return share * settings.log_threshold
