"""What each tier says by itself: of all tiers together, a fault of one is hidden by what the others do on both sides.

A signal's evidence is half that of all tiers together, which finds a fault of the whole revision with the fewest
requests, and half the mean over the tiers' own, which finds that of one of them. A mean of such evidence, with weights
that are fixed beforehand, is such evidence (Vovk & Wang, Ann. Statist. 49, 2021).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import log

from plimsoll_operator.rollout.evidence.counts import (
    FAILURES,
    INCIDENTS,
    LATENCY,
    MOST_NAME,
    MOST_STRATA,
    UNKNOWN_TIER,
    SeriesKey,
    Stratum,
)
from plimsoll_operator.rollout.evidence.mixture import log_mean_exp
from plimsoll_operator.rollout.evidence.series import COMMON, RARE, Series
from plimsoll_operator.rollout.evidence.settings import MIN_REQUESTS, AnalysisSettings

SUSPICIOUS = 10.0
"""Evidence of a tier from which on nothing is promoted: by chance it ever gets there with one good canary in ten, and
mostly goes back."""

FAILING = 0.1
"""Nor while a tier fails more than that share of its requests, and twice as many as on stable: one that is seldom asked
for has neither evidence nor a bound of its own by the time that the others have theirs."""

SLOWER = 2
"""Nor while a tier has that many times stable's share of requests above a bucket: to be sure of one, beside the noise
that pods have, takes longer than to bound all of them."""

Parts = Mapping[SeriesKey, Series]


def of(
    whole: SeriesKey, strata: Iterable[Stratum], known: Collection[SeriesKey], settings: AnalysisSettings
) -> list[SeriesKey]:
    """The series of single tiers that go with that of all: none where there is but one tier."""
    if settings.tiers < 2 or not (whole in (INCIDENTS, FAILURES) or whole.signal == LATENCY):
        return []
    seen = dict.fromkeys(stratum.tier for stratum in strata)
    wanted = [whole._replace(tier=tier) for tier in seen if 0 < len(tier) <= MOST_NAME and tier != UNKNOWN_TIER]
    new = [key for key in wanted if key not in known]
    if not new:
        return wanted
    before = sum(key.tier != "" and key._replace(tier="") == whole for key in known)
    kept = set(new[: max(0, MOST_STRATA - before)])
    return [key for key in wanted if key in known or key in kept]


def log_evidence(parts: Parts) -> Mapping[str, float]:
    """ln E of each tier by a signal: the mean over its `parts`. Those that nothing is compared in are not in it."""
    logs: dict[str, list[float]] = {}
    for key, series in _weighed(parts).items():
        if series.compared:
            logs.setdefault(key.tier, []).append(series.log_evidence)
    return {tier: log_mean_exp(values) for tier, values in logs.items()}


def telling(parts: Parts, tier: str) -> SeriesKey:
    """Of that tier's, the one with the most evidence."""
    own = {key: series.log_evidence for key, series in _weighed(parts).items() if key.tier == tier}
    return max(own, key=own.__getitem__)


def suspicious(parts: Parts, by_tier: Mapping[str, float]) -> str:
    """A tier that looks too bad for a promotion, the one with the most evidence; empty where there is none."""
    known = {key.tier: by_tier.get(key.tier, 0.0) for key in parts}
    doubted = [
        tier
        for tier, against in known.items()
        if against >= log(SUSPICIOUS) or _fails(parts, tier) or _is_slower(parts, tier)
    ]
    return max(doubted, key=known.__getitem__, default="")


def worst(by_tier: Mapping[str, float], suspicious: str) -> str:
    """The tier to tell of; empty where all of them speak against the canary, or none does."""
    tier = suspicious or max(by_tier, key=by_tier.__getitem__, default="")
    others = [against for name, against in by_tier.items() if name != tier]
    stands_out = bool(suspicious) or by_tier.get(tier, 0.0) > 0
    return tier if stands_out and others and min(others) <= 0 else ""


def _fails(parts: Parts, tier: str) -> bool:
    known = parts.get(FAILURES._replace(tier=tier)) or parts.get(INCIDENTS._replace(tier=tier)) or Series()
    stable_rate = known.stable_bad / known.stable if known.stable else 0.0
    return known.canary_rate > max(FAILING, 2 * stable_rate)


def _is_slower(parts: Parts, tier: str) -> bool:
    own = [series for key, series in parts.items() if key.tier == tier and key.signal == LATENCY]
    bounding = [series for series in own if series.compared >= MIN_REQUESTS and RARE <= series.stable_rate <= COMMON]
    return any(series.compared_bad > SLOWER * series.expected for series in bounding)


def _weighed(parts: Parts) -> Parts:
    return {key: series for key, series in parts.items() if key._replace(tier="") != FAILURES}


def log_combined(together: float, by_tier: Mapping[str, float], settings: AnalysisSettings) -> float:
    """ln E of a signal. What was not seen yet says nothing: its E is 1."""
    if not by_tier:
        return together
    unseen = max(0, settings.tiers - len(by_tier))
    return log_mean_exp([together, log_mean_exp([*by_tier.values(), *[0.0] * unseen])])
