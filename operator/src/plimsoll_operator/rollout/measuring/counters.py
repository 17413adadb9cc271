"""Raw counters of single replicas into what both revisions did in each interval.

Differencing before adding up is what makes this hold: each replica starts again from zero when it restarts, and they
come and go. A replica counts in an interval when it is known and warm as it begins, and none of its counters falls in
it (it restarted). What it did before that is left out, on both sides alike.

A counter that nobody could read at some moment, since a scrape failed or Prometheus was down, stands where it stood
before: nothing is counted until it is read again, and then all of its growth. The same holds for one that is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate

from plimsoll_operator.rollout.evidence import OBJECTIVE, Counts, Interval, SeriesKey
from plimsoll_operator.rollout.measuring.closing import stretches
from plimsoll_operator.rollout.measuring.measurements import Counter, Measurements, Replica, Values
from plimsoll_operator.rollout.measuring.segments import Matching, Strata
from plimsoll_operator.rollout.measuring.signals import SIGNALS, Kind, Signal, Tally

Counted = dict[SeriesKey, dict[str, Counts]]

NOTHING = Counts(0.0, 0.0, 0.0, 0.0)
NO_OBJECTIVES: Mapping[str, timedelta] = {}
LATENCY = "latency"
BY_NAME = Matching()

MOST = 2.0**53
"""No counter that goes up by one gets beyond it."""


@dataclass(frozen=True)
class _Tier:
    """A tier's counters of one replica."""

    name: str
    values: Mapping[Kind, Values]


def intervals(
    measurements: Measurements,
    canary: str,
    stable: str,
    objectives: Mapping[str, timedelta] = NO_OBJECTIVES,
    awaited: Set[Replica] = frozenset(),
    matching: Matching = BY_NAME,
) -> Iterator[Interval]:
    """What was measured in each stretch that is complete, the oldest first; without traffic an interval has no counts.

    `objectives` are those of the canary's tiers for their latency, `awaited` the replicas that Prometheus ought to
    scrape, `matching` tells which tiers of the two revisions are compared.
    """
    objectives = {tier: one for tier, one in objectives.items() if tier not in matching.latency.mixed}
    moments = measurements.moments
    known = {signal: measurements.counters.get(signal.name, {}) for signal in SIGNALS}
    replicas = {signal: _replicas(_shared(counters, canary, stable)) for signal, counters in known.items()}
    for first, last in stretches(measurements, awaited):
        counts: Counted = {}
        for index in range(first, last):
            for signal, of_signal in replicas.items():
                for replica, tiers in of_signal.items():
                    if replica.revision in (canary, stable) and _is_comparable(signal, tiers, index):
                        strata = matching.of(signal.name)
                        _add(counts, signal, tiers, index, strata, is_canary=replica.revision == canary)
        yield Interval(moments[first], moments[last], _with_objectives(counts, objectives))


def _with_objectives(counts: Counted, objectives: Mapping[str, timedelta]) -> Counted:
    """With one more part of the latency: for each tier the bucket at, or just above, its objective.

    Servers of two releases may have different buckets: one that both served is better than a closer one.
    """
    bounds = sorted((key for key in counts if key.signal == LATENCY), key=lambda key: float(key.part))
    strata: dict[str, Counts] = {}
    for tier, objective in objectives.items():
        met = [counts[key].get(tier) for key in bounds if float(key.part) >= objective.total_seconds()]
        served = [found for found in met if found is not None]
        both = (found for found in served if found.canary and found.stable)
        if served:
            strata[tier] = next(both, served[0])
    return {**counts, OBJECTIVE: strata} if strata else counts


def _shared(counters: Mapping[Counter, Values], canary: str, stable: str) -> dict[Counter, Values]:
    """Those of metrics that both revisions have: servers of two releases are compared by what both count."""
    of_canary, of_stable = ({c.metric for c in counters if c.revision == revision} for revision in (canary, stable))
    either = (of_canary & of_stable) or (of_canary | of_stable)
    return {counter: values for counter, values in counters.items() if counter.metric in either}


def _replicas(counters: Mapping[Counter, Values]) -> dict[Replica, tuple[_Tier, ...]]:
    found: dict[Replica, dict[str, dict[Kind, Values]]] = {}
    for counter, values in counters.items():
        tiers = found.setdefault(counter.of, {})
        tiers.setdefault(counter.tier, {})[counter.metric, counter.label] = _bridged(values)
    return {replica: tuple(_Tier(*tier) for tier in tiers.items()) for replica, tiers in found.items()}


def _bridged(values: Values) -> Values:
    """Each moment that is not known, or tells what no counter can, holds what the one before it held."""
    readable = (value if value is not None and 0 <= value <= MOST else None for value in values)
    return tuple(accumulate(readable, lambda before, value: before if value is None else value))


def _is_comparable(signal: Signal, tiers: tuple[_Tier, ...], index: int) -> bool:
    """Whether the replica is known and warm at that moment, and does not restart before the next one."""
    began = [_at(tier, index) for tier in tiers]
    tallies = [signal.count(counters).values() for counters in began if counters]
    answered = sum(max((tally.exposures for tally in parts), default=0.0) for parts in tallies)
    return (
        any(began)
        and answered >= signal.warm_up
        and not any(_falls(values, index) for tier in tiers for values in tier.values.values())
    )


def _falls(values: Values, index: int) -> bool:
    before, after = values[index], values[index + 1]
    return before is not None and after is not None and after < before


def _at(tier: _Tier, moment: int) -> dict[Kind, float]:
    return {kind: value for kind, values in tier.values.items() if (value := values[moment]) is not None}


def _add(
    counts: Counted, signal: Signal, tiers: tuple[_Tier, ...], index: int, strata: Strata, *, is_canary: bool
) -> None:
    for tier in tiers:
        stratum = strata.of(tier.name, is_canary=is_canary)
        before, after = _at(tier, index), _at(tier, index + 1)
        # A replica's scrape is whole: a counter that was not there before was at zero.
        grown = {kind: value - before.get(kind, 0.0) for kind, value in after.items()}
        for part, tally in signal.count(grown).items():
            if tally.exposures > 0:
                of_part = counts.setdefault(SeriesKey(signal.name, part), {})
                of_part[stratum] = _plus(of_part.get(stratum, NOTHING), tally, is_canary=is_canary)


def _plus(counts: Counts, tally: Tally, *, is_canary: bool) -> Counts:
    """Two counters of one scrape are read one after the other, so that the bad may be ahead by one."""
    bad = min(max(tally.bad, 0.0), tally.exposures)
    if is_canary:
        return Counts(counts.canary + tally.exposures, counts.stable, counts.canary_bad + bad, counts.stable_bad)
    return Counts(counts.canary, counts.stable + tally.exposures, counts.canary_bad, counts.stable_bad + bad)
