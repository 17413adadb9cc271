"""The operator's own judgement of a trace: the code that runs in the cluster, its state through `status` if need be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np

from plimsoll_operator.rollout.evidence import (
    ABANDONED,
    BATCHES,
    FAILURES,
    INCIDENTS,
    OBJECTIVE,
    REFUSED,
    AnalysisSettings,
    Counts,
    Evidence,
    Interval,
    Meanwhile,
    Pods,
    SeriesKey,
    Stratum,
    Verdict,
    from_status,
    judge,
    to_status,
)
from plimsoll_operator.rollout.evidence.series import Series
from simulation.outcome import Outcome
from simulation.scenarios import HEAVY, INTERVAL_SECONDS, LATENCY_BUCKETS, TEXTS
from simulation.traces import CANARY, STABLE, Counted, Trace
from strata import PODS

START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=INTERVAL_SECONDS)
KEYS = tuple(SeriesKey("latency", f"{bound:g}") for bound in LATENCY_BUCKETS)
KNOWN = (*TEXTS, HEAVY)
"""A trace has as many of these as it has columns."""
BY_LENGTH = tuple(Stratum(texts.tier, texts.length) for texts in KNOWN)
BY_TIER = {stratum: Stratum(stratum.tier) for stratum in BY_LENGTH}
OBJECTIVES = tuple(LATENCY_BUCKETS.index(texts.objective) for texts in KNOWN)


def follow(
    trace: Trace,
    settings: AnalysisSettings,
    rng: np.random.Generator,
    *,
    operator_restarts: float = 0.0,
    held: bool = False,
) -> Outcome:
    """The first decision. `held`: promotion is not carried out, as in a pause, and protection goes on."""
    evidence = Evidence.fresh("canary", START)
    for number, interval in enumerate(intervals(trace)):
        if trace.measured[number]:
            evidence = evidence.updated(interval, settings)
        evidence = evidence.with_pods(_pod_interval(trace, number), settings)
        if operator_restarts and rng.random() < operator_restarts:
            # A new operator reads the status, and is given once more what was counted already.
            evidence = _reborn(evidence)
            assert evidence.updated(interval, settings) == evidence
        verdict = judge(evidence, settings, _pods(trace, number, evidence))
        if _ends(verdict, held):
            return Outcome.after(number + 1, trace, verdict.decision, verdict.signal)
    return Outcome.after(len(trace), trace, "Undecided")


def _ends(verdict: Verdict, held: bool) -> bool:
    return verdict.decision == "Rollback" or (verdict.decision == "Promote" and not held)


def _reborn(evidence: Evidence) -> Evidence:
    read = from_status(to_status(evidence))
    assert read is not None
    assert read == evidence
    return read


def intervals(trace: Trace) -> Iterator[Interval]:
    bounds = [START + number * STEP for number in range(len(trace) + 1)]
    for number, (start, end) in enumerate(pairwise(bounds)):
        yield Interval(start, end, _counts(trace, number))


def _counts(trace: Trace, at: int) -> dict[SeriesKey, dict[Stratum, Counts]]:
    answered, slower = trace.answered[at], trace.slower[at]
    columns = answered.shape[-1]
    counts = {
        INCIDENTS: _by_tier(trace.requests[at], trace.incidents[at]),
        FAILURES: _by_tier(trace.requests[at], trace.failed[at]),
        ABANDONED: _by_tier(sent := trace.requests[at] + trace.abandoned[at] + trace.refused[at], trace.abandoned[at]),
        REFUSED: _by_tier(sent, trace.refused[at]),
        BATCHES: _by_tier(trace.batches[at], trace.out_of_memory[at]),
        OBJECTIVE: _by_length(answered, slower[:, range(columns), OBJECTIVES[:columns]]),
    }
    return counts | {key: _by_length(answered, slower[:, :, n]) for n, key in enumerate(KEYS)}


def _by_tier(exposures: Counted, bad: Counted) -> dict[Stratum, Counts]:
    counts: dict[Stratum, Counts] = {}
    for stratum, of_texts in _by_length(exposures, bad).items():
        tier = BY_TIER[stratum]
        counts[tier] = counts[tier] + of_texts if tier in counts else of_texts
    return counts


def _by_length(exposures: Counted, bad: Counted) -> dict[Stratum, Counts]:
    columns = zip(BY_LENGTH[: exposures.shape[-1]], *exposures.tolist(), *bad.tolist(), strict=True)
    return {stratum: Counts(float(c), float(b), float(x), float(y)) for stratum, c, b, x, y in columns}


def _pod_interval(trace: Trace, at: int) -> Interval:
    """What Kubernetes counts, measured or not."""
    counts = {
        SeriesKey("oom", "kills"): {PODS: _pod_counts(trace, trace.kills, at)},
        SeriesKey("restarts"): {PODS: _pod_counts(trace, trace.restarts, at)},
    }
    return Interval(START + at * STEP, START + (at + 1) * STEP, counts)


def _pod_counts(trace: Trace, bad: Counted, at: int) -> Counts:
    return Counts(*map(float, (*trace.minutes[at], *bad[at])))


def _pods(trace: Trace, at: int, evidence: Evidence) -> Pods:
    """What whole lives of pods tell. Batches and shortages are Prometheus' to tell."""
    of_pods = (trace.minutes, trace.kills, trace.restarts)
    minutes, kills, restarts = (of_each[: at + 1].sum(axis=0) for of_each in of_pods)
    told = np.flatnonzero(trace.measured[: at + 1])
    known = told[-1] + 1 if len(told) else 0
    shortages, batches = (trace_of[:known].sum(axis=(0, 2)) for trace_of in (trace.out_of_memory, trace.batches))
    compared = evidence.series.get(BATCHES, Series())
    return Pods(
        canary_kills=int(kills[CANARY]),
        stable_kills=trace.past.kills + int(kills[STABLE]),
        canary_minutes=float(minutes[CANARY]),
        stable_minutes=trace.past.minutes + float(minutes[STABLE]),
        canary_ends=int(restarts[CANARY]),
        stable_ends=trace.past.restarts + int(restarts[STABLE]),
        canary_shortages=int(shortages[CANARY]),
        stable_shortages=trace.past.out_of_memory + int(shortages[STABLE]),
        canary_batches=float(batches[CANARY]),
        stable_batches=float(trace.past.batches + batches[STABLE]),
        meanwhile=Meanwhile(
            kills=int(kills[STABLE]),
            minutes=float(minutes[STABLE]),
            shortages=round(compared.stable_bad),
            batches=compared.stable,
            measured_minutes=float(trace.minutes[told, STABLE].sum()),
            ends=int(restarts[STABLE]),
        ),
    )
