"""Figures of one signal, gathered from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

from plimsoll_operator.rollout.evidence.accumulated import Evidence
from plimsoll_operator.rollout.evidence.mixture import log_mean_exp
from plimsoll_operator.rollout.evidence.series import Series
from plimsoll_operator.rollout.evidence.settings import AnalysisSettings
from plimsoll_operator.rollout.evidence.upper_bound import upper_bound
from plimsoll_operator.rollout.evidence.verdict import SignalFigures

MOST_EVIDENCE = 1e12
"""What is shown of more: the figure goes into status, and nobody needs its exponent."""

OBJECTIVE = "objective"
_TAIL, _MEDIAN = 0.05, 0.5
_BY_TIME = frozenset({("oom", "kills"), ("restarts", "")})


def signal_figures(name: str, evidence: Evidence, settings: AnalysisSettings) -> SignalFigures | None:
    """The signal's evidence (mean over its parts) and the part that is furthest from promotion; None without data."""
    parts = {key.part: series for key, series in evidence.series.items() if key.signal == name}
    if not parts:
        return None
    logs = {part: series.log_evidence for part, series in parts.items()}
    telling = max(logs, key=lambda part: (logs[part], -parts[part].stable_rate))
    mean = exp(min(log_mean_exp(logs.values()), 700.0))
    bounds = {part: _bound((name, part), parts[part], settings) for part in _to_bound(parts)}
    furthest = max(bounds, key=lambda part: bounds[part][0] - bounds[part][1], default=telling)
    shown = parts[telling if mean > 1 else furthest]
    bound, allowed = bounds.get(furthest, (0.0, 1.0))
    return SignalFigures(
        name=name,
        part=telling if mean > 1 else furthest,
        evidence=min(mean, MOST_EVIDENCE),
        threshold=settings.threshold,
        canary_rate=shown.canary_rate,
        stable_rate=shown.stable_rate,
        bound_part=furthest,
        upper_bound=bound,
        allowed=allowed,
        within_bound=all(bound < allowed for bound, allowed in bounds.values()),
        canary_exposures=shown.canary,
        canary_bad=shown.canary_bad,
        stable_exposures=shown.stable,
        stable_bad=shown.stable_bad,
    )


def _bound(key: tuple[str, str], series: Series, settings: AnalysisSettings) -> tuple[float, float]:
    """The canary's upper bound and what it must be below.

    Half an hour of a few pods bounds no rate per minute usefully: there, the rate itself must not be twice stable's.
    """
    if key in _BY_TIME:
        return series.canary_rate, 2 * series.stable_rate if series.canary_bad else 1.0
    allowed = min(1.0, max(2 * series.stable_rate, series.stable_rate + settings.margin))
    return upper_bound(series.canary, series.canary_bad, settings.margin), allowed


def _to_bound(parts: Mapping[str, Series]) -> list[str]:
    """The parts that a promotion looks at: all, but of the latency's buckets those in the tail that holds 5 to 50 %.

    Rarer ones would need thousands of requests to bound, commoner ones cannot double; without one in that range, the
    commonest of the rarer ones. A bucket in which the stable revision has nothing to compare holds nothing back.
    """
    buckets = {part: series.stable_rate for part, series in parts.items() if _is_bucket(part) and series.compared}
    others = [part for part in parts if not _is_bucket(part)]
    tail = [part for part, rate in buckets.items() if _TAIL <= rate <= _MEDIAN]
    rarer = [part for part, rate in buckets.items() if rate < _TAIL]
    return others + (tail or sorted(rarer, key=lambda part: -buckets[part])[:1])


def _is_bucket(part: str) -> bool:
    return part[:1].isdigit()
