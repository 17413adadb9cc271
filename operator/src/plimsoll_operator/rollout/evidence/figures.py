"""Figures of one signal, gathered from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

from plimsoll_operator.rollout.evidence.accumulated import Evidence
from plimsoll_operator.rollout.evidence.bounds import LATENCY, bounds
from plimsoll_operator.rollout.evidence.counts import CALLERS, FAILURES, INCIDENTS
from plimsoll_operator.rollout.evidence.mixture import log_weighted_mean_exp
from plimsoll_operator.rollout.evidence.series import Series
from plimsoll_operator.rollout.evidence.settings import AnalysisSettings
from plimsoll_operator.rollout.evidence.verdict import SignalFigures

MOST_EVIDENCE = 1e12
"""What is shown of more: the figure goes into status, and nobody needs its exponent."""

CALLERS_WEIGHT = 1 / 8
"""Of one of the parts that callers have a hand in, beside the incidents' 1: a tenth of the errors' mean."""


def signal_figures(name: str, evidence: Evidence, settings: AnalysisSettings) -> SignalFigures | None:
    """The signal's evidence (mean over its parts) and the part that is furthest from promotion; None without data."""
    parts = {key.part: series for key, series in evidence.series.items() if key.signal == name}
    if not parts:
        return None
    logs = {part: series.log_evidence for part, series in parts.items() if (name, part) != FAILURES}
    telling = max(logs or parts, key=lambda part: (logs.get(part, 0.0), -parts[part].stable_rate))
    mean = _mean_evidence(name, logs) if logs else 1.0
    found = bounds(name, parts, telling, evidence, settings)
    furthest = max(found, key=lambda part: found[part].upper - found[part].allowed)
    part = _in_requests(telling, parts) if mean > 1 else furthest
    shown, bounded = parts[part], parts[furthest]
    bound = found[furthest]
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
        within_bound=all(one.upper < one.allowed for one in found.values()),
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
