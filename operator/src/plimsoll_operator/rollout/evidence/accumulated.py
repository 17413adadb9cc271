"""The evidence of one canary: immutable, one interval added at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from plimsoll_operator.rollout.evidence import dispersion
from plimsoll_operator.rollout.evidence.counts import ABANDONED, INCIDENTS, REFUSED, Interval, SeriesKey
from plimsoll_operator.rollout.evidence.series import Series
from plimsoll_operator.rollout.evidence.settings import AnalysisSettings


@dataclass(frozen=True)
class Evidence:
    """What is known of `canary` from `since` up to `until`."""

    canary: str
    since: datetime
    until: datetime
    series: Mapping[SeriesKey, Series] = field(default_factory=dict)

    @classmethod
    def fresh(cls, canary: str, now: datetime) -> Evidence:
        return cls(canary, now, now)

    def updated(self, interval: Interval, settings: AnalysisSettings) -> Evidence:
        """With one more interval. One that was seen before, or has no length, changes nothing."""
        if interval.end <= interval.start or interval.start < self.until:
            return self
        return Evidence(self.canary, self.since, interval.end, self._grown(interval, settings))

    def with_pods(self, interval: Interval, settings: AnalysisSettings) -> Evidence:
        """With what the Kubernetes API counted of the pods: in times of its own, which move no `until`.

        The caller sees to it that nothing is counted twice.
        """
        return Evidence(self.canary, self.since, self.until, self._grown(interval, settings))

    def _grown(self, interval: Interval, settings: AnalysisSettings) -> Mapping[SeriesKey, Series]:
        grown = {
            key: self.series.get(key, Series()).updated(strata, settings, dispersion.most(key, settings))
            for key, strata in interval.counts.items()
        }
        return {**self.series, **grown}

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
