"""How often memory ran out in batches over the whole lives of both revisions' pods, as their servers count it.

Differences between moments would miss what a canary's pod does before its second scrape: a squeezed server runs out in
its first full batch, lowers its line, and does so again only minutes later.
"""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.rollout.measuring.counters import MOST
from plimsoll_operator.rollout.measuring.measurements import Measurements, Values
from plimsoll_operator.rollout.measuring.pod_record import PodRecord
from plimsoll_operator.rollout.measuring.signals import OOM

SIGNAL = "oom"


def counted(record: PodRecord, measurements: Measurements, canary: str, stable: str) -> PodRecord:
    """The record with what is newest. A counter that begins anew, or is gone, takes nothing back."""
    return replace(
        record,
        canary_shortages=max(record.canary_shortages, _of(canary, measurements)),
        stable_shortages=max(record.stable_shortages, _of(stable, measurements)),
    )


def _of(revision: str, measurements: Measurements) -> int:
    counters = measurements.counters.get(SIGNAL, {}).items()
    return sum(_newest(values) for one, values in counters if (one.revision, one.metric) == (revision, OOM))


def _newest(values: Values) -> int:
    readable = (value for value in reversed(values) if value is not None and 0 <= value <= MOST)
    return round(next(readable, 0.0))
