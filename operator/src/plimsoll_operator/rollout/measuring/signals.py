"""What a canary is compared by: for each signal one query for raw counters, and how they count.

Everything is counted per tier, since a tier's requests are alike and those of two tiers are not; latencies by the size
of the request within it, where the servers tell it. A new signal is one entry of SIGNALS and one row in
docs/operator.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from plimsoll_operator.rollout import evidence
from plimsoll_operator.rollout.measuring.measurements import Inquiry
from plimsoll_operator.rollout.measuring.promql import any_of, quoted

Kind = tuple[str, str]
"""A metric, and the value of its own label."""

Increments = Mapping[Kind, float]
"""By how much each counter of one tier of one replica grew."""


class Tally(NamedTuple):
    """How much was exposed, and how much of it went wrong."""

    exposures: float
    bad: float


@dataclass(frozen=True)
class Signal:
    """`label` is the metrics' own label that is told apart; `count` gives a tally for each part of the signal.
    `finer` is the one of the metrics that tells the same apart by size as well.

    `warm_up` is how much a replica must have answered before it is compared by the signal.
    """

    name: str
    metrics: tuple[str, ...]
    label: str
    count: Callable[[Increments], Mapping[str, Tally]]
    warm_up: int = 0
    finer: str = ""

    def query(self, inquiry: Inquiry, *, finer: bool = True) -> str:
        """PromQL for the counters. `max` makes one of a pod that two jobs scrape; it adds nothing up."""
        size = SIZE if self.finer and finer else ""
        kept = ", ".join(filter(None, ("__name__", "revision", "replica", "tier", size, self.label)))
        metrics = tuple(metric for metric in self.metrics if finer or metric != self.finer)
        return (
            f"max by ({kept}) ({{"
            f"__name__=~{any_of(metrics)}, "
            f"inference_namespace={quoted(inquiry.namespace)}, "
            f"inference_deployment={quoted(inquiry.deployment)}, "
            f"revision=~{any_of((inquiry.stable, inquiry.canary))}}})"
        )


REQUESTS = "plimsoll_requests_total"
INCIDENTS = "plimsoll_incidents_total"
DURATION = "plimsoll_request_duration_seconds_bucket"
DURATION_BY_SIZE = "plimsoll_request_duration_by_size_seconds_bucket"
SIZE = "size"
"""Label of it: the class of the request's body, by the bytes that it reaches up to."""
OOM = "plimsoll_oom_total"
BATCHES = "plimsoll_batches_total"

SERVED = frozenset({"ok", "rejected", "oom", "error"})
"""Outcomes that are the server's, of requests that the model was asked for."""
FAILED = SERVED - {"ok"}
CANCELLED = frozenset({"cancelled"})
"""Callers give up on what takes too long, and on what they no longer want."""
SPOILT = frozenset({"too_long", "invalid", "limited"})
"""Callers send what cannot be served or too much of it, and a server may take for that what can."""
REMEMBERED = frozenset({"remembered"})
"""Answered before the model is asked: more of them the longer a pod has served, whatever its revision is like."""
EVERY = SERVED | CANCELLED | SPOILT | REMEMBERED
ALL = "+Inf"
_BOUND = re.compile(r"\d+(\.\d+)?(e[+-]?\d\d?)?$", re.ASCII)
"""A number of seconds, as Prometheus' clients write it."""


def _batches(grown: Increments) -> dict[str, Tally]:
    return {"batches": Tally(grown.get((BATCHES, ""), 0.0), grown.get((OOM, ""), 0.0))}


def _errors(grown: Increments) -> dict[str, Tally]:
    """A batch that fails with all its requests is one incident; servers that count none are judged by requests.

    What callers gave up and what was refused as spoilt is up to them, and no more so on one revision than on the other.
    Nobody waits for a remembered answer for long enough to give it up, and none would have failed: where one revision
    remembers more than the other, only what waited for the model compares. What is spoilt is so either way.
    """
    served, failed = _requests(grown, SERVED), _requests(grown, FAILED)
    callers = {
        evidence.ABANDONED.part: Tally(_requests(grown, SERVED | CANCELLED), _requests(grown, CANCELLED)),
        evidence.REFUSED.part: Tally(_requests(grown, EVERY), _requests(grown, SPOILT)),
    }
    incidents = grown.get((INCIDENTS, ""))
    if incidents is None:
        return {evidence.INCIDENTS.part: Tally(served, failed), **callers}
    judged = {evidence.INCIDENTS.part: Tally(served, incidents), evidence.FAILURES.part: Tally(served, failed)}
    return {**judged, **callers}


def _requests(grown: Increments, outcomes: frozenset[str]) -> float:
    return sum(grown.get((REQUESTS, outcome), 0.0) for outcome in outcomes)


def _slow(grown: Increments) -> dict[str, Tally]:
    """One part for each bucket of the histogram: what took longer than its bound."""
    answered = next((count for (_, bound), count in grown.items() if bound == ALL), 0.0)
    return {bound: Tally(answered, answered - within) for (_, bound), within in grown.items() if _BOUND.match(bound)}


SIGNALS: tuple[Signal, ...] = (
    Signal("oom", (OOM, BATCHES), "", _batches),
    Signal("errors", (REQUESTS, INCIDENTS), "outcome", _errors),
    # First answers are slow for reasons of their own; they do not fail for them.
    Signal("latency", (DURATION, DURATION_BY_SIZE), "le", _slow, warm_up=20, finer=DURATION_BY_SIZE),
)
"""Kills and restarts come from the Kubernetes API: see `pod_record`."""
