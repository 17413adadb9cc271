"""How often memory ran out, and in how many batches, over the lives of both revisions' servers, as they count it.

Differences between moments would miss what a canary's pod does before its second scrape: a squeezed server runs out in
its first full batch, lowers its line, and does so again only minutes later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from plimsoll_operator.rollout.evidence import Interval
from plimsoll_operator.rollout.measuring.counters import MOST
from plimsoll_operator.rollout.measuring.measurements import Counter, Measurements, Values
from plimsoll_operator.rollout.measuring.pod_record import PodRecord
from plimsoll_operator.rollout.measuring.signals import BATCHES, OOM

SIGNAL = "oom"


class _Told(NamedTuple):
    """Of one revision, by the same scrapes."""

    shortages: int
    batches: int


def counted(record: PodRecord, measurements: Measurements, canary: str, stable: str) -> PodRecord:
    """The record with what is newest. A counter that begins anew, or is gone, takes nothing back from the canary.

    The stable revision's are of the same lives: where its processes began anew, so do its batches and its shortages.
    """
    of_canary, of_stable = _told(canary, measurements), _told(stable, measurements)
    if not of_stable.batches:
        of_stable = _Told(record.stable_shortages, record.stable_batches)
    return replace(
        record,
        canary_shortages=max(record.canary_shortages, of_canary.shortages),
        canary_batches=max(record.canary_batches, of_canary.batches),
        stable_shortages=of_stable.shortages,
        stable_batches=of_stable.batches,
    )


def watched(record: PodRecord, found: Iterable[Interval], measurements: Measurements, stable: str) -> PodRecord:
    """The record with the time of those intervals, for each server of stable whose batches are counted."""
    servers = {counter.replica for counter, _ in _counters(stable, BATCHES, measurements)}
    lasted = sum((interval.end - interval.start for interval in found), timedelta(0))
    return replace(record, stable_seconds=record.stable_seconds + round(len(servers) * lasted.total_seconds()))


def _told(revision: str, measurements: Measurements) -> _Told:
    metrics = (_counters(revision, metric, measurements) for metric in (OOM, BATCHES))
    return _Told(*(sum(_newest(values) for _, values in counters) for counters in metrics))


def _counters(revision: str, metric: str, measurements: Measurements) -> list[tuple[Counter, Values]]:
    counters = measurements.counters.get(SIGNAL, {}).items()
    return [(one, values) for one, values in counters if (one.revision, one.metric) == (revision, metric)]


def _newest(values: Values) -> int:
    readable = (value for value in reversed(values) if value is not None and 0 <= value <= MOST)
    return round(next(readable, 0.0))
