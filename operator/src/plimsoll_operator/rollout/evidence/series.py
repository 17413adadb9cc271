"""What one series has shown so far: a handful of numbers, whatever it was fed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from plimsoll_operator.rollout.evidence import dispersion, mixture
from plimsoll_operator.rollout.evidence.counts import Counts
from plimsoll_operator.rollout.evidence.settings import AnalysisSettings


@dataclass(frozen=True, slots=True)
class Series:
    """Sums over the intervals. `log_ratios`: the tempered L(ψ), one for each alternative.

    `compared` are the canary's exposures that the stable revision has the like of, `compared_bad` the bad events among
    them, `expected` what these were, had they gone at the stable revision's rate there and then.
    """

    log_ratios: tuple[float, ...] = mixture.FLAT
    canary: float = 0.0
    stable: float = 0.0
    canary_bad: float = 0.0
    stable_bad: float = 0.0
    compared: float = 0.0
    compared_bad: float = 0.0
    expected: float = 0.0

    def updated(
        self,
        seen: Iterable[Counts],
        strata: Iterable[Counts],
        settings: AnalysisSettings,
        most: float,
        early: Counts | None = None,
    ) -> Series:
        """With one more interval, which may add `most` nats: what was `seen`, and the strata that can be compared.

        `early` are all exposures, and the bad ones of which the stratum is not known.
        """
        strata = tuple(strata)
        exposures = early.canary if early else sum([counts.canary for counts in strata])
        gained = self._gained((*strata, early) if early else strata, exposures, settings, most)
        canary, stable, canary_bad, stable_bad = self.canary, self.stable, self.canary_bad, self.stable_bad
        compared, compared_bad, expected = self.compared, self.compared_bad, self.expected
        for counts in seen:
            canary, canary_bad = canary + counts.canary, canary_bad + counts.canary_bad
            stable, stable_bad = stable + counts.stable, stable_bad + counts.stable_bad
        for counts in strata:
            compared, compared_bad = compared + counts.canary, compared_bad + counts.canary_bad
            expected += counts.canary * counts.stable_bad / counts.stable
        if early:
            compared_bad += early.canary_bad
            expected += early.canary * early.stable_bad / early.stable
        log_ratios = tuple([old + new for old, new in zip(self.log_ratios, gained, strict=True)])
        return Series(log_ratios, canary, stable, canary_bad, stable_bad, compared, compared_bad, expected)

    def _gained(
        self, strata: tuple[Counts, ...], exposures: float, settings: AnalysisSettings, most: float
    ) -> tuple[float, ...]:
        raw = mixture.log_likelihood_ratios(strata, settings.tolerated_ratio)
        if raw is mixture.FLAT:
            return raw
        # The rate of before: what an interval may say must not depend on what it says.
        rate = self.stable_bad / self.stable if self.stable else 0.0
        eta = dispersion.temper(rate * exposures)
        return tuple([min(eta * value, most) for value in raw])

    @property
    def log_evidence(self) -> float:
        """ln E against the canary."""
        return mixture.log_mean_exp(self.log_ratios)

    @property
    def canary_rate(self) -> float:
        return self.canary_bad / self.canary if self.canary else 0.0

    @property
    def stable_rate(self) -> float:
        """The stable revision's bad rate over the canary's own mix of tiers and times."""
        return self.expected / self.compared if self.compared else 0.0
