"""Figures of one signal, gathered from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

from plimsoll_operator.rollout.evidence.accumulated import REQUESTS, Evidence
from plimsoll_operator.rollout.evidence.counts import SeriesKey
from plimsoll_operator.rollout.evidence.mixture import log_mean_exp
from plimsoll_operator.rollout.evidence.series import Series
from plimsoll_operator.rollout.evidence.settings import MIN_REQUESTS, AnalysisSettings
from plimsoll_operator.rollout.evidence.upper_bound import upper_bound
from plimsoll_operator.rollout.evidence.verdict import SignalFigures

MOST_EVIDENCE = 1e12
"""What is shown of more: the figure goes into status, and nobody needs its exponent."""

LATENCY, OBJECTIVE = "latency", "objective"
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
    bounds = {part: _bound((name, part), evidence, settings) for part in _to_bound(name, parts)}
    if not bounds:
        bounds = {telling: (0.0, 1.0) if _has_no_match(evidence, parts) else (1.0, 1.0)}
    furthest = max(bounds, key=lambda part: bounds[part][0] - bounds[part][1])
    shown = parts[telling if mean > 1 else furthest]
    bound, allowed = bounds[furthest]
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


def _bound(key: tuple[str, str], evidence: Evidence, settings: AnalysisSettings) -> tuple[float, float]:
    """The canary's upper bound and what it must be below.

    Half an hour of a few pods bounds no rate per minute usefully: there, the rate itself must not be twice stable's.
    Batches without memory are bounded as a share of the requests, of which they fail one at least, as errors are.
    """
    series = evidence.series[SeriesKey(*key)]
    if key in _BY_TIME:
        return series.canary_rate, 2 * series.stable_rate if series.canary_bad else 1.0
    if key[0] == "oom":
        exposures = evidence.requests
        rate = series.expected / exposures if exposures else 0.0
    else:
        exposures, rate = series.canary, series.stable_rate
    allowed = min(1.0, max(2 * rate, rate + settings.margin))
    return upper_bound(exposures, series.canary_bad, settings.margin), allowed


def _to_bound(name: str, parts: Mapping[str, Series]) -> list[str]:
    """The parts that a promotion looks at: all, but of the latency's buckets those in the tail that holds 5 to 50 %.

    Rarer ones would need thousands of requests to bound, commoner ones cannot double; without one in that range, the
    commonest of the rarer ones.
    """
    if name != LATENCY:
        return list(parts)
    compared = {part: series.stable_rate for part, series in parts.items() if series.compared}
    buckets = [part for part in compared if _is_bucket(part)]
    tail = [part for part in buckets if _TAIL <= compared[part] <= _MEDIAN]
    rarer = sorted((part for part in buckets if compared[part] < _TAIL), key=lambda part: -compared[part])
    return [part for part in compared if not _is_bucket(part)] + (tail or rarer[:1])


def _has_no_match(evidence: Evidence, parts: Mapping[str, Series]) -> bool:
    """Whether latencies will not be comparable, however long one waits, rather than not yet.

    The stable revision answers nothing (to enough requests, or it gets none), or all takes longer than any bucket.
    """
    asked = evidence.series[REQUESTS].stable if REQUESTS in evidence.series else 0.0
    if max(series.canary for series in parts.values()) < MIN_REQUESTS:
        return False
    if any(series.stable for series in parts.values()):
        return max(series.compared for series in parts.values()) >= MIN_REQUESTS
    return asked == 0 or asked >= MIN_REQUESTS


def _is_bucket(part: str) -> bool:
    return part[:1].isdigit()
