"""What the evidence says, in words and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Decision = Literal["Undecided", "Rollback", "Promote"]


@dataclass(frozen=True)
class SignalFigures:
    """One signal by its most telling part. Rates are fractions of exposures; `evidence` is E, linear and finite.

    `upper_bound` of the canary's rate must fall below `allowed` for a promotion. Both are those of `bound_part`, the
    part that is furthest from it, which need not be the one that `evidence` comes from.
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


@dataclass(frozen=True)
class Verdict:
    """`signal` is the one that decided, or that a promotion waits for; empty where none did."""

    decision: Decision
    signal: str
    reason: str
    message: str
    requests: float = 0.0
    signals: tuple[SignalFigures, ...] = ()
