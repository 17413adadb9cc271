"""Was there anything to judge by? No data is an answer of its own, and there are three sorts of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from plimsoll_operator.observed import Pod, Workload
from plimsoll_operator.rollout.evidence import ABANDONED, REFUSED, Data, Interval
from plimsoll_operator.rollout.measuring.measurements import Measurements, Replica

BLIND: tuple[Data, ...] = ("NoMetrics", "CanaryMissing")
"""What there should be data in and is not."""

QUIET = timedelta(minutes=2)
"""Without a request for so long, there is no traffic; shorter pauses are what few requests, or scrapes, look like."""

FIRST_SCRAPE = timedelta(minutes=2)
"""For Prometheus to find a new pod and scrape it twice."""


@dataclass(frozen=True)
class Availability:
    """What the last look at Prometheus brought. `measured_at` is the end of the last interval with canary requests.

    With a message, what is Measured is not all of the canary.
    """

    data: Data = "NoTraffic"
    message: str = "nothing was measured yet"
    measured_at: datetime | None = None

    @property
    def hides(self) -> bool:
        """Whether a pod of the canary serves and is not measured: what it does nobody knows."""
        return self.data == "CanaryMissing" or (self.data == "Measured" and bool(self.message))


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
    newest = found[-1].end
    served = [interval.end for interval in found if _requests(interval, canary=True)]
    measured_at = served[-1] if served else before.measured_at
    unknown = [pod for pod in _serving(workload) if not _is_scraped(measurements, Replica(canary, pod.name), newest)]
    missing = [pod for pod in unknown if _has_been_ready(pod, FIRST_SCRAPE, newest)]
    known = len(_serving(workload)) - len(unknown)
    if missing and (known or any(_requests(interval, canary=False) for interval in found)):
        return Availability("CanaryMissing", _targets(missing, known), measured_at)
    waits = f"{unknown[0].name} is ready and not measured yet" if unknown else ""
    if measured_at is not None and newest - measured_at < QUIET:
        return Availability("Measured", waits, measured_at)
    if known or not missing:
        return Availability("NoTraffic", waits or "the canary got no request that its model had to answer", measured_at)
    if any(_is_known(values) for counters in measurements.counters.values() for values in counters.values()):
        return Availability("NoTraffic", "neither revision got a request that its model had to answer", measured_at)
    return Availability(
        "NoMetrics",
        "Prometheus knows no plimsoll_requests_total of these pods: let it scrape those with the annotation "
        "prometheus.io/scrape, or by a PodMonitor of port metrics",
        measured_at,
    )


def _targets(missing: Sequence[Pod], known: int) -> str:
    pods = f"{len(missing)} of {known + len(missing)} pods" if known else "no pod"
    does = "does not measure" if known else "measures the stable revision and"
    return f"Prometheus {does} {pods} of the canary, among them {missing[0].name}: see its targets for these pods"


def _requests(interval: Interval, *, canary: bool) -> float:
    """All that callers sent, answered or not, but what needed no more than memory: that compares nothing."""
    waited = interval.counts.get(ABANDONED, {}).values()
    refused = interval.counts.get(REFUSED, {}).values()
    if canary:
        return sum(counts.canary for counts in waited) + sum(counts.canary_bad for counts in refused)
    return sum(counts.stable for counts in waited) + sum(counts.stable_bad for counts in refused)


def _serving(workload: Workload) -> list[Pod]:
    return [pod for pod in workload.pods if pod.ready and not pod.terminating]


def _is_scraped(measurements: Measurements, replica: Replica, newest: datetime) -> bool:
    """Whether it was of late; where Prometheus tells of no scrapes, whether it knows a counter of the replica."""
    by_each_job = measurements.scrapes.get(replica, ())
    if by_each_job:
        return any(scrapes.is_awaited(newest, newest) for scrapes in by_each_job)
    return any(
        counter.of == replica and _is_known(values)
        for counters in measurements.counters.values()
        for counter, values in counters.items()
    )


def _is_known(values: Sequence[float | None]) -> bool:
    """At the newest moment."""
    return values[-1] is not None


def _has_been_ready(pod: Pod, least: timedelta, by: datetime) -> bool:
    since = pod.milestones.ready_changed if pod.milestones else None
    return since is not None and by - since >= least
