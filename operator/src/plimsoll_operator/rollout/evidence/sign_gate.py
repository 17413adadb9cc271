"""The sign gate: no evidence counts that comes from a few bad moments of one pod.

Each interval bets on which side was worse than allowed, whatever by how much: s = +1 for the canary, -1 for the stable
one, 0 for a tie. E = mean over λ of Π (1 + λ s) is a test martingale (Ville 1939; betting as in Shafer, JRSS A 184,
2021) while the canary is not the worse one more often than not, which holds for noise of pods of any size and shape
that is as likely to hit the one as the other. Only the numbers of either sign matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log, log1p

from plimsoll_operator.rollout.evidence.counts import Counts
from plimsoll_operator.rollout.evidence.mixture import log_mean_exp

STAKES = (0.25, 0.5, 0.75, 0.95)

LOG_GATE = log(10)
"""Chosen by simulation (docs/rollout-evidence.md): five intervals in a row pass, noise of pods seldom does."""


def worse_side(strata: Iterable[Counts], tolerated_ratio: float) -> int:
    """+1 where the canary had more bad events than the stable one's rate allows it, -1 where fewer, 0 where equal."""
    excess = 0.0
    for counts in strata:
        if counts.canary > 0 and counts.stable > 0:
            excess += counts.canary_bad - tolerated_ratio * counts.canary * counts.stable_bad / counts.stable
    return (excess > 0) - (excess < 0)


def log_sign_evidence(worse: int, better: int) -> float:
    """ln E after so many intervals in which the canary was the worse and the better side."""
    return log_mean_exp(worse * log1p(stake) + better * log1p(-stake) for stake in STAKES)
