"""What the evidence says, in words and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Decision = Literal["Undecided", "Rollback", "Promote"]


@dataclass(frozen=True)
class SignalFigures:
    """One signal by its most telling part. Rates are fractions of exposures; `evidence` is E, linear and finite.

    `upper_bound` of the canary's rate must fall below `allowed` for a promotion. Both are those of `bound_part`, the
    part that is furthest from it, which need not be the one that `evidence` comes from: it is the bound of
    `bound_bad` in `bound_exposures`, none where nothing is bounded so. `unmatched` is the share of the canary's
    exposures there that the stable revision had no like of, and that are not in the bound. `tier` is the one that the
    rates are of, empty where they are of all, and `suspicious` one that looks too bad for a promotion.
    """

    name: str
    part: str
    evidence: float
    threshold: float
    canary_rate: float
    stable_rate: float
    bound_part: str
    upper_bound: float
    allowed: float
    within_bound: bool
    canary_exposures: float
    canary_bad: float
    stable_exposures: float
    stable_bad: float
    bound_exposures: float = 0.0
    bound_bad: float = 0.0
    unmatched: float = 0.0
    tier: str = ""
    suspicious: str = ""


@dataclass(frozen=True)
class Verdict:
    """`signal` is the one that decided, or that a promotion waits for; empty where none did."""

    decision: Decision
    signal: str
    reason: str
    message: str
    requests: float = 0.0
    signals: tuple[SignalFigures, ...] = ()
