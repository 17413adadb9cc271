"""Figures of one signal, gathered from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import NamedTuple

from plimsoll_operator.rollout.evidence.accumulated import Evidence
from plimsoll_operator.rollout.evidence.counts import BATCHES, CALLERS, FAILURES, INCIDENTS, OBJECTIVE, SeriesKey
from plimsoll_operator.rollout.evidence.mixture import log_weighted_mean_exp
from plimsoll_operator.rollout.evidence.series import Series
from plimsoll_operator.rollout.evidence.settings import MIN_REQUESTS, AnalysisSettings
from plimsoll_operator.rollout.evidence.upper_bound import upper_bound
from plimsoll_operator.rollout.evidence.verdict import SignalFigures

MOST_EVIDENCE = 1e12
"""What is shown of more: the figure goes into status, and nobody needs its exponent."""

CALLERS_WEIGHT = 1 / 8
"""Of one of the parts that callers have a hand in, beside the incidents' 1: a tenth of the errors' mean."""

LATENCY = OBJECTIVE.signal
KILLS, RESTARTS = SeriesKey("oom", "kills"), SeriesKey("restarts")
_TAIL, _MEDIAN = 0.05, 0.5

FORGIVEN_MINUTES = 10
"""Pod-minutes of the canary in which one restart is let pass: a node reboots under good ones as well."""

FAILS_TOGETHER = 5
"""As how many requests that can fail by themselves a batch counts, however many it has."""


class _Bound(NamedTuple):
    """The canary's upper bound, what it must be below, and what it is the bound of."""

    upper: float
    allowed: float
    exposures: float = 0.0
    bad: float = 0.0


def signal_figures(name: str, evidence: Evidence, settings: AnalysisSettings) -> SignalFigures | None:
    """The signal's evidence (mean over its parts) and the part that is furthest from promotion; None without data."""
    parts = {key.part: series for key, series in evidence.series.items() if key.signal == name}
    if not parts:
        return None
    logs = {part: series.log_evidence for part, series in parts.items() if (name, part) != FAILURES}
    telling = max(logs or parts, key=lambda part: (logs.get(part, 0.0), -parts[part].stable_rate))
    mean = _mean_evidence(name, logs) if logs else 1.0
    bounds = {part: _bound(SeriesKey(name, part), evidence, settings) for part in _to_bound(name, parts)}
    if not bounds:
        bounds = {telling: _Bound(0.0 if _has_no_match(evidence, parts) else 1.0, 1.0)}
    furthest = max(bounds, key=lambda part: bounds[part].upper - bounds[part].allowed)
    part = _in_requests(telling, parts) if mean > 1 else furthest
    shown, bounded = parts[part], parts[furthest]
    bound = bounds[furthest]
    return SignalFigures(
        name=name,
        part=part,
        evidence=min(mean, MOST_EVIDENCE),
        threshold=settings.threshold(name),
        canary_rate=shown.canary_rate,
        stable_rate=shown.stable_rate,
        bound_part=furthest,
        upper_bound=bound.upper,
        allowed=bound.allowed,
        within_bound=all(bound.upper < bound.allowed for bound in bounds.values()),
        canary_exposures=shown.canary,
        canary_bad=shown.canary_bad,
        stable_exposures=shown.stable,
        stable_bad=shown.stable_bad,
        bound_exposures=bound.exposures,
        bound_bad=bound.bad,
        unmatched=1 - bounded.compared / bounded.canary if name == LATENCY and bounded.compared else 0.0,
    )


def _mean_evidence(name: str, logs: Mapping[str, float]) -> float:
    """Any mean whose weights are fixed beforehand is as valid: most of it goes to what is the server's own doing."""
    weights = [CALLERS_WEIGHT if (name, part) in CALLERS else 1.0 for part in logs]
    return exp(min(log_weighted_mean_exp(tuple(logs.values()), weights), 700.0))


def _in_requests(telling: str, parts: Mapping[str, Series]) -> str:
    """Incidents tell of failures, and are told as what callers saw of them."""
    return FAILURES.part if telling == INCIDENTS.part and FAILURES.part in parts else telling


def _bound(key: SeriesKey, evidence: Evidence, settings: AnalysisSettings) -> _Bound:
    """How far the canary is bounded by that part.

    Half an hour of a few pods bounds no rate per minute usefully: there, the rate itself must not be twice stable's.
    Batches without memory are bounded as a share of the requests, of which they fail one at least, as errors are.
    Latencies are bounded where the stable revision served the same tier: how long a text takes is no fault by itself.
    """
    series = evidence.series[key]
    if key in (KILLS, RESTARTS):
        return _Bound(series.canary_rate, _allowed_by_time(key, series))
    exposures, bad, rate = series.canary, series.canary_bad, series.stable_rate
    if key.signal == BATCHES.signal:
        exposures = evidence.served
        rate = series.expected / exposures if exposures else 0.0
    elif key.signal == LATENCY:
        exposures, bad = series.compared, series.compared_bad
    elif key == FAILURES:
        together = _together(evidence)
        exposures, bad = exposures / together, bad / together
    allowed = min(1.0, max(2 * rate, rate + settings.margin))
    return _Bound(upper_bound(exposures, bad, settings.margin), allowed, exposures, bad)


def _allowed_by_time(key: SeriesKey, series: Series) -> float:
    if not series.canary_bad:
        return 1.0
    forgiven = 1 / FORGIVEN_MINUTES if key == RESTARTS and series.canary_bad <= 1 else 0.0
    return max(2 * series.stable_rate, forgiven)


def _together(evidence: Evidence) -> float:
    """How many requests fail at once, as far as it was seen, and might, as far as it was not (Kish's design effect)."""
    failures, incidents, batches = (evidence.series.get(key, Series()) for key in (FAILURES, INCIDENTS, BATCHES))
    seen = failures.canary_bad / incidents.canary_bad if incidents.canary_bad else 1.0
    unseen = failures.canary / (FAILS_TOGETHER * batches.canary) if batches.canary else 1.0
    return max(1.0, seen, unseen)


def _to_bound(name: str, parts: Mapping[str, Series]) -> list[str]:
    """The parts that a promotion looks at: failures by requests, and latency by the buckets with 5 to 50 % beyond them.

    Rarer ones would need thousands of requests to bound, commoner ones cannot double; without one in that range, the
    commonest of the rarer ones.
    """
    if name == FAILURES.signal and FAILURES.part in parts:
        return [part for part in parts if part != INCIDENTS.part]
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
    asked = evidence.series[INCIDENTS].stable if INCIDENTS in evidence.series else 0.0
    if max(series.canary for series in parts.values()) < MIN_REQUESTS:
        return False
    if any(series.stable for series in parts.values()):
        return max(series.compared for series in parts.values()) >= MIN_REQUESTS
    return asked == 0 or asked >= MIN_REQUESTS


def _is_bucket(part: str) -> bool:
    return part[:1].isdigit()
