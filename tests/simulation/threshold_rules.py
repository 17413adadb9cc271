"""Models of what Flagger and Argo Rollouts do with the same traces, from their sources and documentation.

Both look at the canary alone, once a minute, over the minute before: the share of requests without a server error must
be at least 99 %, the 99th percentile of the latency below a limit. Flagger's documentation says 500 ms; here it is half
above what the healthy service shows, which somebody would have had to measure.

- Flagger (pkg/controller/scheduler.go, scheduler_metrics.go): a check without values fails like one out of range;
  failed checks add up and never expire; at the check after `threshold` of them it rolls back. Weights of 10 to 50 % in
  steps of 10: the fifth check that passes promotes.
- Argo Rollouts (analysis/analysis.go): a metric fails with more than `failureLimit` failed measurements and errs with
  more than four errors in a row (`consecutiveErrorLimit`, here: no data, `result[0]` of an empty vector). Five
  measurements, that is `count: 5`. With a `failureCondition` of 95 %, what lies between is inconclusive, and the first
  such measurement pauses the rollout until somebody decides.

Both shift weights of requests; the traces have replicas' weights, which stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

import numpy as np

from simulation.outcome import Outcome
from simulation.scenarios import LATENCY_BUCKETS, SPREAD, TEXTS
from simulation.traces import CANARY, Trace, normal_tail

LOOK = 6
"""Intervals in a minute."""
PASSES = 5
ERRORS_IN_A_ROW = 4
SUCCESS, FAILURE = 0.99, 0.95


def flagger(trace: Trace, *, threshold: int) -> Outcome:
    failed = passed = 0
    for at, rate, latency in _looks(trace):
        if failed >= threshold:
            return Outcome.after(at, trace, "Rollback")
        if rate is None or rate < SUCCESS or latency > latency_limit():
            failed += 1
        else:
            passed += 1
        if passed == PASSES:
            return Outcome.after(at, trace, "Promote")
    return Outcome.after(len(trace), trace, "Undecided")


def argo(trace: Trace, *, failure_limit: int, asks: bool = False) -> Outcome:
    failed = {"success rate": 0, "latency": 0}
    measured = errors = 0
    for at, rate, latency in _looks(trace):
        if rate is None:
            errors += 1
            if errors > ERRORS_IN_A_ROW:
                return Outcome.after(at, trace, "Rollback")
            continue
        errors, measured = 0, measured + 1
        if asks and FAILURE <= rate < SUCCESS:
            return Outcome.after(at, trace, "Paused")
        failed["success rate"] += rate < SUCCESS
        failed["latency"] += latency > latency_limit()
        if max(failed.values()) > failure_limit:
            return Outcome.after(at, trace, "Rollback")
        if measured == PASSES:
            return Outcome.after(at, trace, "Promote")
    return Outcome.after(len(trace), trace, "Undecided")


RULES = {
    "Flagger, threshold 1": partial(flagger, threshold=1),
    "Flagger, threshold 5": partial(flagger, threshold=5),
    "Flagger, threshold 10": partial(flagger, threshold=10),
    "Argo, failureLimit 0": partial(argo, failure_limit=0),
    "Argo, failureLimit 3": partial(argo, failure_limit=3),
    "Argo, failureLimit 0, inconclusive": partial(argo, failure_limit=0, asks=True),
}


def _looks(trace: Trace) -> Iterator[tuple[int, float | None, float]]:
    """After each minute: intervals so far, the canary's success rate (None without data) and its p99 in seconds."""
    for end in range(LOOK, len(trace) + 1, LOOK):
        seen = np.flatnonzero(trace.measured[end - LOOK : end]) + end - LOOK
        requests = trace.requests[seen, CANARY].sum()
        if not requests:
            yield end, None, 0.0
            continue
        slower = trace.slower[seen, CANARY].sum(axis=(0, 1))
        latency = _quantile(slower, int(trace.answered[seen, CANARY].sum()))
        yield end, 1 - trace.failed[seen, CANARY].sum() / requests, latency


def _quantile(slower: np.ndarray, answered: int, share: float = 0.99) -> float:
    """As `histogram_quantile` does it: linear within the bucket."""
    within = answered - slower
    rank = share * answered
    place = int(np.searchsorted(within, rank))
    if place == len(LATENCY_BUCKETS) or not answered:
        return LATENCY_BUCKETS[-1] if answered else 0.0
    low = LATENCY_BUCKETS[place - 1] if place else 0.0
    below = within[place - 1] if place else 0
    return float(low + (LATENCY_BUCKETS[place] - low) * (rank - below) / max(1, within[place] - below))


@cache
def latency_limit() -> float:
    """Half above the healthy service's 99th percentile, in seconds."""
    grid = np.geomspace(0.01, 60, 4000)
    above = sum(texts.share * normal_tail((np.log(grid) - np.log(texts.median)) / SPREAD) for texts in TEXTS)
    return float(1.5 * grid[np.argmax(above <= 0.01)])
