"""What the user may set of the analysis, and what is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import log

from plimsoll_operator.rollout.evidence.judged import JUDGED

MIN_REQUESTS = 100
"""Canary requests before any promotion."""

STEP_REQUESTS = 50
STEP_INTERVALS = 6
"""A step lasts at least as long as a plain fault needs to be seen."""


@dataclass(frozen=True)
class AnalysisSettings:
    """`spec.rollout.analysis` in fractions: 0.01 is one percent."""

    false_rollback: float = 0.01
    tolerance: float = 0.25
    margin: float = 0.01
    oom_kills: int = 3
    interval: timedelta = timedelta(seconds=10)
    tiers: int = 1
    """How many are compared: the evidence of each has its share."""

    @property
    def budget(self) -> float:
        """The chance of a false alarm that one signal has: 0.25 % of 1 % over four signals."""
        return self.false_rollback / len(JUDGED)

    @property
    def guarded(self) -> float:
        """The half of memory's budget that goes to the guard on kills."""
        return self.budget / 2

    @property
    def guarded_shortages(self) -> float:
        """The tenth of it that goes to the guard on shortages."""
        return self.budget / 10

    @property
    def guarded_restarts(self) -> float:
        """The half of the restarts' budget that goes to the guard on them."""
        return self.budget / 2

    def threshold(self, signal: str) -> float:
        """Evidence at which that signal takes the canary back: 400 at 1 %, 800 for restarts, and 1,000 for memory."""
        guards = {"oom": self.guarded + self.guarded_shortages, "restarts": self.guarded_restarts}
        return 1 / (self.budget - guards.get(signal, 0.0))

    @property
    def log_threshold(self) -> float:
        """Of a signal with all of its budget."""
        return -log(self.budget)

    @property
    def tolerated_ratio(self) -> float:
        """Canary's risk over stable's up to which a canary is as good."""
        return 1 + self.tolerance


def step_is_done(requests: float, lasted: timedelta, settings: AnalysisSettings) -> bool:
    """Whether a step has seen enough to go on to the next: canary requests since its begin, and time with data."""
    return requests >= STEP_REQUESTS and lasted >= STEP_INTERVALS * settings.interval
