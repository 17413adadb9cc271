"""Figures of one signal, gathered from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

from plimsoll_operator.rollout.evidence import tiers
from plimsoll_operator.rollout.evidence.accumulated import Evidence
from plimsoll_operator.rollout.evidence.bounds import bounds
from plimsoll_operator.rollout.evidence.counts import CALLERS, FAILURES, INCIDENTS, LATENCY, SeriesKey
from plimsoll_operator.rollout.evidence.mixture import log_weighted_mean_exp
from plimsoll_operator.rollout.evidence.settings import AnalysisSettings
from plimsoll_operator.rollout.evidence.verdict import SignalFigures

MOST_EVIDENCE = 1e12
"""What is shown of more: the figure goes into status, and nobody needs its exponent."""

CALLERS_WEIGHT = 1 / 8
"""Of one of the parts that callers have a hand in, beside the incidents' 1: a tenth of the errors' mean."""


def signal_figures(name: str, evidence: Evidence, settings: AnalysisSettings) -> SignalFigures | None:
    """The signal's evidence (mean over its parts) and the part that is furthest from promotion; None without data."""
    parts = {key.part: series for key, series in evidence.series.items() if key.signal == name and not key.tier}
    if not parts:
        return None
    logs = {part: series.log_evidence for part, series in parts.items() if SeriesKey(name, part) != FAILURES}
    telling = max(logs or parts, key=lambda part: (logs.get(part, 0.0), -parts[part].stable_rate))
    together = _log_mean(name, logs) if logs else 0.0
    of_tiers = {key: series for key, series in evidence.series.items() if key.signal == name and key.tier}
    by_tier = tiers.log_evidence(of_tiers)
    log_evidence = tiers.log_combined(together, by_tier, settings)
    found = bounds(name, parts, telling, evidence, settings)
    furthest = max(found, key=lambda part: found[part].upper - found[part].allowed)
    suspicious = tiers.suspicious(of_tiers, by_tier)
    if tier := tiers.worst(by_tier, suspicious):
        shown = _in_requests(tiers.telling(of_tiers, tier), evidence)
    else:
        shown = _in_requests(SeriesKey(name, telling), evidence) if log_evidence > 0 else SeriesKey(name, furthest)
    seen, bounded, bound = evidence.series[shown], parts[furthest], found[furthest]
    return SignalFigures(
        name=name,
        part=shown.part,
        tier=shown.tier,
        evidence=min(exp(min(log_evidence, 700.0)), MOST_EVIDENCE),
        threshold=settings.threshold(name),
        canary_rate=seen.canary_rate,
        stable_rate=seen.stable_rate,
        bound_part=furthest,
        upper_bound=bound.upper,
        allowed=bound.allowed,
        within_bound=all(one.upper < one.allowed for one in found.values()),
        canary_exposures=seen.canary,
        canary_bad=seen.canary_bad,
        stable_exposures=seen.stable,
        stable_bad=seen.stable_bad,
        bound_exposures=bound.exposures,
        bound_bad=bound.bad,
        unmatched=1 - bounded.compared / bounded.canary if name == LATENCY and bounded.compared else 0.0,
        suspicious=suspicious,
    )


def _log_mean(name: str, logs: Mapping[str, float]) -> float:
    """Any mean whose weights are fixed beforehand is as valid: most of it goes to what is the server's own doing."""
    weights = [CALLERS_WEIGHT if SeriesKey(name, part) in CALLERS else 1.0 for part in logs]
    return log_weighted_mean_exp(tuple(logs.values()), weights)


def _in_requests(telling: SeriesKey, evidence: Evidence) -> SeriesKey:
    """Incidents tell of failures, and are told as what callers saw of them."""
    requests = FAILURES._replace(tier=telling.tier)
    return requests if telling._replace(tier="") == INCIDENTS and requests in evidence.series else telling
