"""Was there anything to judge by? No data is an answer of its own, and there are three sorts of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from plimsoll_operator.observed import Workload
from plimsoll_operator.rollout.evidence import Data, Interval, SeriesKey
from plimsoll_operator.rollout.measuring.measurements import Measurements

REQUESTS = SeriesKey("errors", "abandoned")
"""All that callers sent, answered or not."""

BLIND: tuple[Data, ...] = ("NoMetrics", "CanaryMissing")
"""What there should be data in and is not."""

QUIET = timedelta(minutes=2)
"""Without a request for so long, there is no traffic; shorter pauses are what few requests, or scrapes, look like."""

FIRST_SCRAPE = timedelta(minutes=2)
"""For Prometheus to find a new pod and scrape it twice."""


@dataclass(frozen=True)
class Availability:
    """What the last look at Prometheus brought. `measured_at` is the end of the last interval with canary requests."""

    data: Data = "NoTraffic"
    message: str = "nothing was measured yet"
    measured_at: datetime | None = None


def availability(
    before: Availability,
    measurements: Measurements,
    found: Sequence[Interval],
    canary: str,
    workload: Workload,
) -> Availability:
    """By the newest look. `found` are its intervals, oldest first; none only with a problem."""
    if measurements.problem:
        return Availability("NoMetrics", measurements.problem.message, before.measured_at)
    served = [interval.end for interval in found if _requests(interval, canary=True)]
    measured_at = served[-1] if served else before.measured_at
    if measured_at is not None and found[-1].end - measured_at < QUIET:
        return Availability("Measured", "", measured_at)
    if _has_series(measurements, canary) or not _ready_for(workload, FIRST_SCRAPE, found[-1].end):
        return Availability("NoTraffic", "the canary got no request", measured_at)
    if any(_requests(interval, canary=False) for interval in found):
        return Availability(
            "CanaryMissing",
            f"Prometheus measures the stable revision and no pod of canary {canary}: see its targets for these pods",
            measured_at,
        )
    if any(_is_known(values) for counters in measurements.counters.values() for values in counters.values()):
        return Availability("NoTraffic", "neither revision got a request", measured_at)
    return Availability(
        "NoMetrics",
        "Prometheus knows no plimsoll_requests_total of these pods: let it scrape those with the annotation "
        "prometheus.io/scrape, or by a PodMonitor of port metrics",
        measured_at,
    )


def _requests(interval: Interval, *, canary: bool) -> float:
    strata = interval.counts.get(REQUESTS, {}).values()
    return sum(counts.canary if canary else counts.stable for counts in strata)


def _has_series(measurements: Measurements, revision: str) -> bool:
    return any(
        counter.revision == revision and _is_known(values)
        for counters in measurements.counters.values()
        for counter, values in counters.items()
    )


def _is_known(values: Sequence[float | None]) -> bool:
    """At the newest moment."""
    return values[-1] is not None


def _ready_for(workload: Workload, least: timedelta, by: datetime) -> bool:
    reached = (pod.milestones.ready_changed for pod in workload.pods if pod.ready and pod.milestones)
    return any(moment is not None and by - moment >= least for moment in reached)
