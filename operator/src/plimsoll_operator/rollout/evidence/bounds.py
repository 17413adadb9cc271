"""How far a canary is bounded before it may be promoted: by which parts of a signal, and below what."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

from plimsoll_operator.rollout.evidence.accumulated import Evidence
from plimsoll_operator.rollout.evidence.counts import (
    BATCHES,
    FAILURES,
    INCIDENTS,
    LATENCY,
    OBJECTIVE,
    SeriesKey,
)
from plimsoll_operator.rollout.evidence.series import COMMON, RARE, Series
from plimsoll_operator.rollout.evidence.settings import MIN_REQUESTS, AnalysisSettings
from plimsoll_operator.rollout.evidence.upper_bound import upper_bound

KILLS, RESTARTS = SeriesKey("oom", "kills"), SeriesKey("restarts")

NEXT_TO_NONE = 0.1
"""Of the margin: so rare a bad event hardly ever meets a good canary before it is bounded. By simulation (docs)."""

FORGIVEN_MINUTES = 10
"""Pod-minutes of the canary in which one restart is let pass: a node reboots under good ones as well."""

FAILS_TOGETHER = 5
"""As how many requests that can fail by themselves a batch counts, however many it has."""


class Bound(NamedTuple):
    """The canary's upper bound, what it must be below, and what it is the bound of."""

    upper: float
    allowed: float
    exposures: float = 0.0
    bad: float = 0.0


def bounds(
    name: str, parts: Mapping[str, Series], telling: str, evidence: Evidence, settings: AnalysisSettings
) -> Mapping[str, Bound]:
    """Of each part of the signal that a promotion looks at; of `telling` where there is none to look at."""
    known = {**parts, OBJECTIVE.part: _objective(evidence)} if OBJECTIVE.part in parts else parts
    wanted = _to_bound(name, known, settings.margin)
    found = {part: _bound(SeriesKey(name, part), known[part], evidence, settings) for part in wanted}
    return found or {telling: Bound(0.0 if _has_no_match(evidence, parts) else 1.0, 1.0)}


def _bound(key: SeriesKey, series: Series, evidence: Evidence, settings: AnalysisSettings) -> Bound:
    """How far the canary is bounded by that part, of which `series` is known.

    Half an hour of a few pods bounds no rate per minute usefully: there, the rate itself must not be twice stable's.
    Batches without memory are bounded as a share of the requests, of which they fail one at least, as errors are.
    Latencies are bounded where the stable revision served the same lengths: how long texts take is no fault by itself.
    """
    if key in (KILLS, RESTARTS):
        return Bound(series.canary_rate, _allowed_by_time(key, series))
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
    return Bound(upper_bound(exposures, bad, settings.margin), allowed, exposures, bad)


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


def _objective(evidence: Evidence) -> Series:
    """Of the tiers whose objective stable meets mostly; without compared requests where there is none.

    One that stable misses mostly holds nothing up: a good canary misses it as well, and has no bound below 1.
    """
    found = {key: series for key, series in evidence.series.items() if key[:2] == OBJECTIVE[:2]}
    of_tiers = [series for key, series in found.items() if key.tier] or list(found.values())
    bounded = [series for series in of_tiers if series.compared and series.stable_rate <= COMMON]
    return Series(
        compared=sum(series.compared for series in bounded),
        compared_bad=sum(series.compared_bad for series in bounded),
        expected=sum(series.expected for series in bounded),
    )


def _to_bound(name: str, parts: Mapping[str, Series], margin: float) -> list[str]:
    """The parts that a promotion looks at: of the errors those that count requests, of the latency some buckets."""
    if name == FAILURES.signal and FAILURES.part in parts:
        return [part for part in parts if part != INCIDENTS.part]
    if name != LATENCY:
        return list(parts)
    compared = {part: series for part, series in parts.items() if series.compared}
    objective = [part for part in compared if not _is_bucket(part)]
    buckets = sorted((part for part in compared if _is_bucket(part)), key=float)
    return objective + _buckets_to_bound({bucket: compared[bucket] for bucket in buckets}, margin)


def _buckets_to_bound(buckets: Mapping[str, Series], margin: float) -> list[str]:
    """Of `buckets`, finest first: those that 5 to 50 % of stable's requests exceed, and the first that hardly any does.

    Commoner ones cannot double, and rarer ones would need thousands of requests to be bounded by twice their rate;
    without one in that range, the commonest of the rarer ones. A few requests that hang move none of these by much.
    They lie above the finest bucket that is next to none on stable: there a canary is bounded by rate + margin, as its
    errors are, with the formula of `upper_bound`, and as soon: after 409 requests, if none of them is above it.
    """
    tail = [part for part, series in buckets.items() if RARE <= series.stable_rate <= COMMON]
    rarer = [part for part, series in buckets.items() if series.stable_rate < RARE]
    nearly_none = [part for part in rarer if _is_next_to_none(buckets[part], margin)]
    return list(dict.fromkeys((tail or rarer[:1]) + nearly_none[:1]))


def _is_next_to_none(series: Series, margin: float) -> bool:
    """Whether stable's rate may be a tenth of the margin: m expected events have come as m + 2√m (Poisson) at most.

    Without that allowance one slow answer among a few hundred of stable's would leave nothing bounded below its time.
    """
    expected = NEXT_TO_NONE * margin * series.stable
    return series.stable_rate * series.stable <= expected + 2 * sqrt(expected)


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
