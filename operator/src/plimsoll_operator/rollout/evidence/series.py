"""What one series has shown so far: a handful of numbers, whatever it was fed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from plimsoll_operator.rollout.evidence import dispersion, mixture
from plimsoll_operator.rollout.evidence.counts import Counts
from plimsoll_operator.rollout.evidence.settings import AnalysisSettings

RARE = 0.05
"""Rate below which twice as many are bounded by thousands of requests only."""

COMMON = 0.5
"""Rate of both sides above which fewer good events tell more than further bad ones, of which there is hardly room."""

SCARCE = 0.2
"""Of stable's exposures: where fewer are good on both sides, neither tells. A service has a least time, and half a
millisecond more empties a bucket just above it."""


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
        *,
        by_interval: bool = False,
    ) -> Series:
        """With one more interval, which may add `most` nats: what was `seen`, and the strata that can be compared.

        `early` are all exposures, and the bad ones of which the stratum is not known. `by_interval`: the rate moves
        with the load, so that the interval itself, of both sides, says what tells and how much noise there may be.
        """
        strata = tuple(strata)
        if by_interval:
            gained = _gained_by_interval(strata, settings, most)
        else:
            gained = self._gained(strata, early, settings, most)
        canary, stable, canary_bad, stable_bad = self.canary, self.stable, self.canary_bad, self.stable_bad
        compared, compared_bad, expected = self.compared, self.compared_bad, self.expected
        for counts in seen:
            canary, canary_bad = canary + counts.canary, canary_bad + counts.canary_bad
            stable, stable_bad = stable + counts.stable, stable_bad + counts.stable_bad
        for counts in (*strata, early) if early else strata:
            compared_bad += counts.canary_bad
            expected += counts.canary * counts.stable_bad / counts.stable
        # Those of `early` are all there are, those of the strata among them.
        compared += sum([counts.canary for counts in ((early,) if early else strata)], 0.0)
        log_ratios = tuple([old + new for old, new in zip(self.log_ratios, gained, strict=True)])
        return Series(log_ratios, canary, stable, canary_bad, stable_bad, compared, compared_bad, expected)

    def _gained(
        self, strata: tuple[Counts, ...], early: Counts | None, settings: AnalysisSettings, most: float
    ) -> tuple[float, ...]:
        told = (*strata, early) if early else strata
        exposed = (early,) if early else strata
        # The rate of before, or of both sides: what an interval may say must not depend on which side it says it of.
        rate = self.stable_rate if self.compared else _rate_of_both(told, exposed)
        exposures = sum([counts.canary for counts in exposed], 0.0)
        return _tempered(told, dispersion.excess(exposures, min(rate, 1.0)), settings, most)

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


def _gained_by_interval(strata: tuple[Counts, ...], settings: AnalysisSettings, most: float) -> tuple[float, ...]:
    """Where each exposure went well or did not: stratum by stratum what tells more, bad events or good ones.

    Which of them is told by how many were bad on both sides together, which says nothing of whose they were.
    """
    telling, excess = [], 0.0
    for counts in strata:
        bad, exposures = counts.canary_bad + counts.stable_bad, counts.canary + counts.stable
        if exposures - bad < SCARCE * counts.stable:
            continue
        common = bad > COMMON * exposures
        telling.append(counts.mirrored if common else counts)
        rate = bad / exposures
        excess += dispersion.excess(min(counts.canary, counts.stable), 1 - rate if common else rate)
    return _tempered(tuple(telling), excess, settings, most)


def _tempered(strata: tuple[Counts, ...], excess: float, settings: AnalysisSettings, most: float) -> tuple[float, ...]:
    raw = mixture.log_likelihood_ratios(strata, settings.tolerated_ratio)
    if raw is mixture.FLAT:
        return raw
    eta = dispersion.temper(excess)
    return tuple([min(eta * value, most) for value in raw])


def _rate_of_both(strata: tuple[Counts, ...], exposed: tuple[Counts, ...]) -> float:
    bad = sum([counts.canary_bad + counts.stable_bad for counts in strata], 0.0)
    exposures = sum([counts.canary + counts.stable for counts in exposed], 0.0)
    return min(1.0, bad / exposures) if exposures else 0.0
