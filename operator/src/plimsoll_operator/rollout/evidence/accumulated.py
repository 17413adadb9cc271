"""The evidence of one canary: immutable, one interval added at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from plimsoll_operator.rollout.evidence import dispersion, tiers
from plimsoll_operator.rollout.evidence.counts import (
    ABANDONED,
    EARLY,
    INCIDENTS,
    LATENCY,
    REFUSED,
    Counts,
    Interval,
    SeriesKey,
    Strata,
)
from plimsoll_operator.rollout.evidence.series import Series
from plimsoll_operator.rollout.evidence.settings import AnalysisSettings
from plimsoll_operator.rollout.evidence.waiting import Waiting, met


@dataclass(frozen=True)
class Evidence:
    """What is known of `canary` from `since` up to `until`. What is `waiting` has no like on the other side yet."""

    canary: str
    since: datetime
    until: datetime
    series: Mapping[SeriesKey, Series] = field(default_factory=dict)
    waiting: Waiting = field(default_factory=dict)

    @classmethod
    def fresh(cls, canary: str, now: datetime) -> Evidence:
        return cls(canary, now, now)

    def updated(self, interval: Interval, settings: AnalysisSettings) -> Evidence:
        """With one more interval. One that was seen before, or has no length, changes nothing."""
        if interval.end <= interval.start or interval.start < self.until:
            return self
        strata, waiting = met(self.waiting, {key: _with_early(key, seen) for key, seen in interval.counts.items()})
        series = {**self.series, **self._grown(interval.counts, strata, settings)}
        return Evidence(self.canary, self.since, interval.end, series, waiting)

    def with_pods(self, interval: Interval, settings: AnalysisSettings) -> Evidence:
        """With what the Kubernetes API counted of the pods: in times of its own, which move no `until`.

        The caller sees to it that nothing is counted twice.
        """
        strata = {
            key: {stratum: counts for stratum, counts in seen.items() if counts.of_both}
            for key, seen in interval.counts.items()
        }
        series = {**self.series, **self._grown(interval.counts, strata, settings)}
        return Evidence(self.canary, self.since, self.until, series, self.waiting)

    def _grown(
        self,
        counts: Mapping[SeriesKey, Strata],
        strata: Mapping[SeriesKey, Strata],
        settings: AnalysisSettings,
    ) -> dict[SeriesKey, Series]:
        grown = {}
        for whole, seen in counts.items():
            compared, most, by_interval = dict(strata[whole]), dispersion.most(whole, settings), whole.signal == LATENCY
            early = compared.pop(EARLY, None)
            known, told = self._known(whole), compared.values()
            grown[whole] = known.updated(seen.values(), told, settings, most, early, by_interval=by_interval)
            for key in tiers.of(whole, seen, self.series, settings):
                of_tier, own = (_of(key.tier, strata) for strata in (seen, compared))
                grown[key] = self._known(key).updated(of_tier, own, settings, most, by_interval=by_interval)
        return grown

    def _known(self, key: SeriesKey) -> Series:
        return self.series.get(key, Series())

    @property
    def requests(self) -> float:
        """Canary requests so far, whatever became of them but to be remembered: such an answer compares nothing.

        What was refused is a share of all, the remembered ones too; of those only the refused ones themselves count.
        """
        waited = (self.series[key].canary for key in (INCIDENTS, ABANDONED) if key in self.series)
        refused = self.series[REFUSED].canary_bad if REFUSED in self.series else 0.0
        return max(waited, default=0.0) + refused

    @property
    def served(self) -> float:
        """Those of them that neither their callers gave up nor were invalid."""
        return self.series[INCIDENTS].canary if INCIDENTS in self.series else 0.0


def _of(tier: str, strata: Strata) -> list[Counts]:
    return [counts for stratum, counts in strata.items() if stratum.tier == tier]


def _with_early(key: SeriesKey, seen: Strata) -> Strata:
    """What failed before its tier was found out, among all requests: of either revision it may be the only that did."""
    if key.signal != INCIDENTS.signal:
        return seen
    canary, stable = (sum(getattr(counts, side) for counts in seen.values()) for side in ("canary", "stable"))
    early = seen.get(EARLY, Counts(0, 0, 0, 0))
    return {**seen, EARLY: Counts(canary, stable, early.canary_bad, early.stable_bad)}
