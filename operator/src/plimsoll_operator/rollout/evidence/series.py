"""What one series has shown so far: a handful of numbers, whatever it was fed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from plimsoll_operator.rollout.evidence import mixture, sign_gate
from plimsoll_operator.rollout.evidence.counts import Counts
from plimsoll_operator.rollout.evidence.settings import AnalysisSettings

LEAST_INTERVALS = 4
"""What one interval can add is capped, so that fewer than these never decide, however many events one fault made."""


@dataclass(frozen=True, slots=True)
class Series:
    """`log_ratios`: Σ L(ψ) per alternative. `worse`, `better`: intervals by the worse side.

    `compared` are the canary's exposures in strata that the stable revision served at the same time, `expected` the bad
    events among them, had they gone at the stable revision's rate of the same stratum and interval.
    """

    log_ratios: tuple[float, ...] = mixture.FLAT
    worse: int = 0
    better: int = 0
    canary: float = 0.0
    stable: float = 0.0
    canary_bad: float = 0.0
    stable_bad: float = 0.0
    compared: float = 0.0
    expected: float = 0.0

    def updated(self, strata: Mapping[str, Counts], settings: AnalysisSettings) -> Series:
        """With one more interval."""
        ratio = settings.tolerated_ratio
        cap = settings.log_threshold / LEAST_INTERVALS
        gained = mixture.log_likelihood_ratios(strata.values(), ratio)
        side = sign_gate.worse_side(strata.values(), ratio)
        both = [counts for counts in strata.values() if counts.canary > 0 and counts.stable > 0]
        return replace(
            self,
            log_ratios=tuple(old + min(new, cap) for old, new in zip(self.log_ratios, gained, strict=True)),
            worse=self.worse + (side > 0),
            better=self.better + (side < 0),
            canary=self.canary + sum(counts.canary for counts in strata.values()),
            stable=self.stable + sum(counts.stable for counts in strata.values()),
            canary_bad=self.canary_bad + sum(counts.canary_bad for counts in strata.values()),
            stable_bad=self.stable_bad + sum(counts.stable_bad for counts in strata.values()),
            compared=self.compared + sum(counts.canary for counts in both),
            expected=self.expected + sum(counts.canary * counts.stable_bad / counts.stable for counts in both),
        )

    def log_evidence(self, log_threshold: float) -> float:
        """ln E against the canary, held below the threshold until the sign gate is passed as well."""
        signs = sign_gate.log_sign_evidence(self.worse, self.better) - sign_gate.LOG_GATE
        return min(mixture.log_mean_exp(self.log_ratios), signs + log_threshold)

    @property
    def canary_rate(self) -> float:
        return self.canary_bad / self.canary if self.canary else 0.0

    @property
    def stable_rate(self) -> float:
        """The stable revision's bad rate over the canary's own mix of tiers and times."""
        return self.expected / self.compared if self.compared else 0.0
