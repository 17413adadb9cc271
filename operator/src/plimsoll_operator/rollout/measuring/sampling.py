"""Asks when each replica was scraped, which Prometheus tells of the newest scrape at each moment."""

from __future__ import annotations

from typing import NamedTuple

from plimsoll_operator.names import SATURATION_METRIC
from plimsoll_operator.rollout.measuring.measurements import Inquiry
from plimsoll_operator.rollout.measuring.promql import any_of, quoted
from plimsoll_operator.rollout.measuring.scrapes import SILENT

MOST_POINTS = 200
"""Of one replica, by one job that scrapes it."""


class Sampling(NamedTuple):
    """At which Unix seconds the newest scrape is asked for: from `start` on, `steps` times every `step`."""

    start: float
    step: float
    steps: int


def sampling(inquiry: Inquiry) -> Sampling:
    """Close enough to see each scrape, from when a replica that is still waited for may have had its last."""
    start = (inquiry.since - SILENT).timestamp()
    lasts = (inquiry.last + inquiry.step).timestamp() - start
    step = max(1.0, lasts / MOST_POINTS)
    return Sampling(start, step, int(lasts // step))


def query(inquiry: Inquiry) -> str:
    """PromQL for the time of the newest scrape. Every server has this metric once, and each job's series is apart."""
    return (
        f"timestamp({SATURATION_METRIC}{{"
        f"inference_namespace={quoted(inquiry.namespace)}, "
        f"inference_deployment={quoted(inquiry.deployment)}, "
        f"revision=~{any_of((inquiry.stable, inquiry.canary))}}})"
    )
