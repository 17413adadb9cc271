"""Plain rules on whole lives of pods: they need no long look, and those on kills and starts no Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log, log1p

from plimsoll_operator.rollout.evidence.settings import AnalysisSettings

COUNTED_KILLS = 3
"""Fewer `oomKills` are the user's word that none is chance: then a ninth of the exposure is little enough."""

_LITTLE = 1 / 9
"""A tenth of the stable revision's pod-minutes, with the default tolerance."""

_PROMOTED_RATIO = 2
"""Of stable's rate: what a promotion allows, here as in the bounds."""

_FIRST_SHARE, _NEXT = 3 / 4, 1 / 4
"""Of a guard's budget: what the first count may spend, and each further one of what the one before may."""

FAILED_STARTS = 2


@dataclass(frozen=True)
class Pods:
    """Counts of the canary since it began, of the stable revision since it can be known.

    Shortages are batches in which memory ran out, by the servers' own counters; the rest is from the Kubernetes API.
    """

    canary_kills: int = 0
    stable_kills: int = 0
    canary_minutes: float = 0
    stable_minutes: float = 0
    canary_failed_starts: int = 0
    stable_failed_starts: int = 0
    canary_shortages: int = 0
    stable_shortages: int = 0


def killed_too_often(pods: Pods, settings: AnalysisSettings) -> bool:
    """At least `oomKills` of the canary, and more of all kills than chance gives it by its share of the pod-minutes."""
    return _too_often(pods.canary_kills, pods.stable_kills, pods, settings, settings.guarded)


def runs_out_too_often(pods: Pods, settings: AnalysisSettings) -> bool:
    """The same of shortages: each lowers the server's line for minutes, so that there are few, however many batches."""
    shortages = pods.canary_shortages, pods.stable_shortages
    return _too_often(*shortages, pods, settings, settings.guarded_shortages)


def _too_often(canary: int, stable: int, pods: Pods, settings: AnalysisSettings, budget: float) -> bool:
    """Whether x of x + y events are the canary's by less than that chance.

    Were it as good as is tolerated, they would be binomial with its share of the exposure (Przyborowski & Wilenski,
    Biometrika 31, 1940). All looks at the same x are one, since that chance is also the one that so few of the stable
    revision's come before the canary's xth, and the looks at all x have the budget.
    """
    further = canary - settings.oom_kills
    if further < 0 or not pods.stable_minutes:
        return False
    first = _FIRST_SHARE * budget
    if settings.oom_kills < COUNTED_KILLS:
        first = max(first, _LITTLE**settings.oom_kills)
    exposed = settings.tolerated_ratio * pods.canary_minutes
    share = exposed / (exposed + pods.stable_minutes)
    return _at_least(canary, canary + stable, share) <= first * _NEXT**further


def runs_out_more_often(pods: Pods) -> bool:
    """Whether so many shortages would be unlikely of one that runs out just twice as often as stable in its whole past.

    By a chance of one in nine, as above: a first shortage says so where stable had none in 16 times the pod-minutes.
    """
    exposed = _PROMOTED_RATIO * pods.canary_minutes
    if not pods.canary_shortages or not pods.stable_minutes:
        return False
    shortages = pods.canary_shortages + pods.stable_shortages + pods.stable_kills
    return _at_least(pods.canary_shortages, shortages, exposed / (exposed + pods.stable_minutes)) <= _LITTLE


def _at_least(hits: int, trials: int, chance: float) -> float:
    """P(X ≥ hits) of a binomial X; `chance` is below one."""
    if chance <= 0:
        return 0.0
    ways = (lgamma(trials + 1) - lgamma(k + 1) - lgamma(trials - k + 1) for k in range(hits, trials + 1))
    logs = (way + k * log(chance) + (trials - k) * log1p(-chance) for k, way in enumerate(ways, hits))
    return sum(exp(value) for value in logs)


def fails_to_start(pods: Pods) -> bool:
    """Two failed starts against a stable revision with none: a crash loop is not waited for."""
    return pods.canary_failed_starts >= FAILED_STARTS and pods.stable_failed_starts == 0
