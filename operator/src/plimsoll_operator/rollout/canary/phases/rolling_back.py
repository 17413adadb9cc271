"""RollingBack: the canary goes and touches no pod of the stable revision, which gets back one that was given up."""

from __future__ import annotations

from plimsoll_operator.rollout.canary.phases.promoting import take_over
from plimsoll_operator.rollout.canary.trial import Trial
from plimsoll_operator.rollout.situation import Move


def advance(trial: Trial) -> Move:
    because = trial.rejection or next((trial.taken_back[w.revision] for w in trial.older if trial.left(w)), None)
    why = because.message if because else "the spec asks for the stable revision again"
    return take_over(trial, "RollingBack", f"back to revision {trial.target}, since {why}")
