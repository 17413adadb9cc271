"""Plain rules on whole lives of pods: they need no long look, and but for that on shortages no Prometheus."""

from __future__ import annotations

from math import comb, exp, lgamma, log, log1p

from plimsoll_operator.rollout.evidence.pods import Compared, Pods
from plimsoll_operator.rollout.evidence.settings import AnalysisSettings

COUNTED_KILLS = 3
"""Fewer `oomKills` are the user's word that none is chance: then a ninth of the exposure is little enough."""

COUNTED_ENDS = 3
"""Two may be a node that reboots under both pods of a good canary, or under one of them twice."""

_LITTLE = 1 / 9
"""A tenth of the stable revision's exposure, with the default tolerance."""

_PROMOTED_RATIO = 2
"""Of stable's rate: what a promotion allows, here as in the bounds."""

_FIRST_SHARE, _NEXT = 3 / 4, 1 / 4
"""Of a guard's budget: what the first count may spend, and each further one of what the one before may."""

_SAME_TIME = 1 / 40
"""What chance may have given of the events of the same minutes at most, where stable had some in them as well."""

FLAKY_START = 1 / 10
"""Chance of a start to fail by itself that is tolerated: a node that is short of something, a volume that is late."""

_STARTS_SHARE = 1 / 100
"""Of good canaries whose starts fail so often: what may be taken back for it, however many pods they have."""

_ROUNDING = 1e-12

_AS_HARD_TO_START = 1 / 6
"""Chance from which on stable is as hard to start: two failed starts beside one that failed and four that did not."""


def killed_too_often(pods: Pods, settings: AnalysisSettings) -> bool:
    """At least `oomKills` of the canary, and more of all kills than chance gives it by its share of the pod-minutes."""
    return _too_often(pods.kills, pods.kills_meanwhile, settings, settings.guarded, settings.oom_kills)


def runs_out_too_often(pods: Pods, settings: AnalysisSettings) -> bool:
    """The same of shortages and batches: each lowers the server's line for minutes, so that there are few."""
    budget = settings.guarded_shortages
    return _too_often(pods.shortages, pods.shortages_meanwhile, settings, budget, settings.oom_kills)


def ends_too_often(pods: Pods, settings: AnalysisSettings) -> bool:
    """The same of ends while it served, of any other kind: crashes, a probe that failed, evictions."""
    return _too_often(pods.ends, pods.ends_meanwhile, settings, settings.guarded_restarts, COUNTED_ENDS)


def _too_often(lives: Compared, meanwhile: Compared, settings: AnalysisSettings, budget: float, least: int) -> bool:
    """Whether x of x + y events are the canary's by less than that chance.

    Were it as good as is tolerated, they would be binomial with its share of the exposure (Przyborowski & Wilenski,
    Biometrika 31, 1940). All looks at the same x are one, since that chance is also the one that so few of the stable
    revision's come before the canary's xth, and the looks at all x have the budget. That the events of the same minutes
    have to agree can only take alarms away: a peak that kills both is no verdict, whatever was before.
    """
    further = lives.canary - least
    if further < 0:
        return False
    first = _FIRST_SHARE * budget
    if least < COUNTED_KILLS:
        first = max(first, _LITTLE**least)
    ratio = settings.tolerated_ratio
    return _chance(lives, ratio) <= first * _NEXT**further and _agrees(meanwhile, ratio, _SAME_TIME)


def runs_out_more_often(pods: Pods) -> bool:
    """Whether so many shortages would be unlikely of one that runs out just twice as often as stable in its whole past.

    By a chance of one in nine, as above: a first shortage says so where stable had none in 16 times the batches.
    """
    if not pods.canary_shortages:
        return False
    agrees = _agrees(pods.shortages_meanwhile, _PROMOTED_RATIO, _LITTLE)
    return agrees and _chance(pods.shortages, _PROMOTED_RATIO) <= _LITTLE


def _agrees(meanwhile: Compared, ratio: float, most: float) -> bool:
    return not meanwhile.stable or _chance(meanwhile, ratio) <= most


def _chance(seen: Compared, ratio: float) -> float:
    """That so many of the events are the canary's, were its risk `ratio` of the stable one's; 1 without exposure."""
    exposed = ratio * seen.canary_exposed
    if not exposed or not seen.stable_exposed:
        return 1.0
    return _at_least(seen.canary, seen.canary + seen.stable, exposed / (exposed + seen.stable_exposed))


def _at_least(hits: int, trials: int, chance: float) -> float:
    """P(X ≥ hits) of a binomial X; `chance` is above zero and below one."""
    ways = (lgamma(trials + 1) - lgamma(k + 1) - lgamma(trials - k + 1) for k in range(hits, trials + 1))
    logs = (way + k * log(chance) + (trials - k) * log1p(-chance) for k, way in enumerate(ways, hits))
    return sum(exp(value) for value in logs)


def fails_to_start(pods: Pods) -> bool:
    """More failed starts than chance gives, unless stable is as hard to start: a crash loop is not waited for.

    Two are enough of one pod, four of two, five of four. A canary of n pods may spend a share of 1/n², so that one that
    grows from 1 to any number of them stays within 1.05 times the whole.
    """
    if _chance_of_flaky_starts(pods) > _STARTS_SHARE / _starts(pods) ** 2 + _ROUNDING:
        return False
    return not pods.stable_failed_starts or _chance_of_failures(pods) <= _AS_HARD_TO_START


def _starts(pods: Pods) -> int:
    """Of the canary that succeed, those under way among them: so all looks at the same pods are the same one."""
    return max(1, pods.canary_started)


def _chance_of_flaky_starts(pods: Pods) -> float:
    """That so many starts fail before these succeed, were each tolerably flaky.

    Negative binomial (Johnson, Kotz & Kemp, Univariate Discrete Distributions, 2nd ed., ch. 5).
    """
    starts = _starts(pods)
    fewer = sum(_ways(failed, starts) * FLAKY_START**failed for failed in range(pods.canary_failed_starts))
    return 1 - fewer * (1 - FLAKY_START) ** starts


def _chance_of_failures(pods: Pods) -> float:
    """That so many of all failed starts are the canary's, were its starts as likely to fail as the stable one's.

    Attempts until one succeeds are geometric, and given their sum all ways to share the failures out are as likely:
    the negative hypergeometric distribution (Johnson, Kotz & Kemp, Univariate Discrete Distributions, 2nd ed., ch. 6).
    """
    canary, stable = _starts(pods), pods.stable_started
    failed = pods.canary_failed_starts + pods.stable_failed_starts
    ways = sum(
        _ways(ours, canary) * _ways(failed - ours, stable) for ours in range(pods.canary_failed_starts, failed + 1)
    )
    return ways / _ways(failed, canary + stable)


def _ways(failures: int, starts: int) -> int:
    """To share them out before so many successes."""
    return comb(failures + starts - 1, failures) if starts else int(not failures)
