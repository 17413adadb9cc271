"""Canary: a few pods of the new revision get a share of the traffic, and the evidence says whether it is promoted.

Two decisions last, as labels in the history: which revision is stable, and which were rejected; beside them stand which
ever were stable, and the requests that were answered. Everything else is moves of pods towards them, one file for each
phase. A phase is found anew at each look: from the labels, the pods and the verdict, and from status only where these
do not tell.
"""

from __future__ import annotations

from collections.abc import Callable

from plimsoll_operator.rollout import rolling_update
from plimsoll_operator.rollout.canary.decision import decided
from plimsoll_operator.rollout.canary.phases import (
    analysing,
    inconclusive,
    parked,
    paused,
    promoting,
    returning,
    rolling_back,
    surging,
)
from plimsoll_operator.rollout.canary.trial import Trial
from plimsoll_operator.rollout.situation import Move


def advance(trial: Trial) -> Move:
    """The next move. A first revision has nothing to be compared with, and a parked one nothing to be judged by."""
    if not trial.stable or (not trial.wanted and trial.target == trial.stable):
        return rolling_update.advance(trial)
    if trial.target == trial.stable:
        return _of_a_decision(trial)(trial)
    return decided(trial) or _of_a_trial(trial)(trial)


def _of_a_decision(trial: Trial) -> Callable[[Trial], Move]:
    """The label stands already: pods go to the stable revision, from one that served or from a canary."""
    # After a restart, what the spec asks for is the stable revision again, and no rejection stands in its way.
    goes_back = trial.rejection or (trial.older and all(w in trial.unproven or trial.left(w) for w in trial.older))
    return rolling_back.advance if goes_back else promoting.advance


def _of_a_trial(trial: Trial) -> Callable[[Trial], Move]:
    if not trial.wanted:
        return parked.advance
    if trial.paused:
        return paused.advance
    if trial.target in trial.proven:
        return returning.advance
    if inconclusive.is_still(trial):
        return inconclusive.advance
    return analysing.advance if surging.is_done(trial) else surging.advance
