"""Raw counters of single replicas into what both revisions did in each interval.

Differencing before adding up is what makes this hold: each replica starts again from zero when it restarts, and they
come and go. A replica counts in an interval when it is known and warm as it begins, and none of its counters falls in
it (it restarted). What it did before that is left out, on both sides alike.

A counter that nobody could read at some moment, since a scrape failed or Prometheus was down, stands where it stood
before: nothing is counted until it is read again, and then all of its growth. The same holds for one that is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate

from plimsoll_operator.rollout.evidence import OBJECTIVE, Counts, Interval, SeriesKey, Stratum
from plimsoll_operator.rollout.measuring.closing import stretches
from plimsoll_operator.rollout.measuring.measurements import Counter, Measurements, Replica, Values
from plimsoll_operator.rollout.measuring.segments import Matching, Strata
from plimsoll_operator.rollout.measuring.signals import SIGNALS, Kind, Signal, Tally

Counted = dict[SeriesKey, dict[Stratum, Counts]]

NOTHING = Counts(0.0, 0.0, 0.0, 0.0)
NO_OBJECTIVES: Mapping[str, timedelta] = {}
LATENCY = OBJECTIVE.signal
BY_NAME = Matching()

MOST = 2.0**53
"""No counter that goes up by one gets beyond it."""


@dataclass(frozen=True)
class _Like:
    """The counters of one replica's requests that are alike."""

    stratum: Stratum
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
    by_size = {signal: _tell_sizes(counters) for signal, counters in known.items()}
    replicas = {signal: _replicas(_shared(counters, canary, stable)) for signal, counters in known.items()}
    for first, last in stretches(measurements, awaited):
        counts: Counted = {}
        for index in range(first, last):
            for signal, of_signal in replicas.items():
                for replica, alike in of_signal.items():
                    if replica.revision in (canary, stable) and _is_comparable(signal, alike, index):
                        compared = [one for one in alike if bool(one.stratum.length) == by_size[signal]]
                        strata = matching.of(signal.name)
                        _add(counts, signal, compared, index, strata, is_canary=replica.revision == canary)
        yield Interval(moments[first], moments[last], _with_objectives(counts, objectives))


def _with_objectives(counts: Counted, objectives: Mapping[str, timedelta]) -> Counted:
    """With one more part of the latency: for each tier the bucket at, or just above, its objective.

    Servers of two releases may have different buckets: one that both served is better than a closer one.
    """
    bounds = sorted((key for key in counts if key.signal == LATENCY), key=lambda key: float(key.part))
    known = {stratum for key in bounds for stratum in counts[key] if stratum.tier in objectives}
    strata: dict[Stratum, Counts] = {}
    for stratum in sorted(known):
        objective = objectives[stratum.tier].total_seconds()
        met = [counts[key].get(stratum) for key in bounds if float(key.part) >= objective]
        served = [found for found in met if found is not None]
        both = (found for found in served if found.canary and found.stable)
        if served:
            strata[stratum] = next(both, served[0])
    return {**counts, OBJECTIVE: strata} if strata else counts


def _shared(counters: Mapping[Counter, Values], canary: str, stable: str) -> dict[Counter, Values]:
    """Those of metrics that both revisions have: servers of two releases are compared by what both count."""
    of_canary, of_stable = ({c.metric for c in counters if c.revision == revision} for revision in (canary, stable))
    either = (of_canary & of_stable) or (of_canary | of_stable)
    return {counter: values for counter, values in counters.items() if counter.length or counter.metric in either}


def _tell_sizes(counters: Mapping[Counter, Values]) -> bool:
    """Whether all that answered anything tell how large it was: servers of older releases do not."""
    told = {counter.revision for counter in counters if counter.length}
    answered = {counter.revision for counter, values in counters.items() if not counter.length and any(values)}
    return bool(told) and answered <= told


def _replicas(counters: Mapping[Counter, Values]) -> dict[Replica, tuple[_Like, ...]]:
    found: dict[Replica, dict[Stratum, dict[Kind, Values]]] = {}
    for counter, values in counters.items():
        alike = found.setdefault(counter.of, {})
        alike.setdefault(Stratum(counter.tier, counter.length), {})[counter.metric, counter.label] = _bridged(values)
    return {replica: tuple(_Like(*one) for one in alike.items()) for replica, alike in found.items()}


def _bridged(values: Values) -> Values:
    """Each moment that is not known, or tells what no counter can, holds what the one before it held."""
    readable = (value if value is not None and 0 <= value <= MOST else None for value in values)
    return tuple(accumulate(readable, lambda before, value: before if value is None else value))


def _is_comparable(signal: Signal, alike: tuple[_Like, ...], index: int) -> bool:
    """Whether the replica is known and warm at that moment, and does not restart before the next one.

    A server that starts anew tells no sizes at first, and all else from zero: by that it shows.
    """
    of_all_sizes = [one for one in alike if not one.stratum.length] or alike
    began = [_at(one, index) for one in of_all_sizes]
    tallies = [signal.count(counters).values() for counters in began if counters]
    answered = sum(max((tally.exposures for tally in parts), default=0.0) for parts in tallies)
    return (
        any(began)
        and answered >= signal.warm_up
        and not any(_falls(values, index) for one in alike for values in one.values.values())
    )


def _falls(values: Values, index: int) -> bool:
    before, after = values[index], values[index + 1]
    return before is not None and after is not None and after < before


def _at(one: _Like, moment: int) -> dict[Kind, float]:
    return {kind: value for kind, values in one.values.items() if (value := values[moment]) is not None}


def _add(
    counts: Counted, signal: Signal, alike: Iterable[_Like], index: int, strata: Strata, *, is_canary: bool
) -> None:
    for one in alike:
        stratum = one.stratum._replace(tier=strata.of(one.stratum.tier, is_canary=is_canary))
        before, after = _at(one, index), _at(one, index + 1)
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
