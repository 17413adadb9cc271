"""RolledBack: the stable revision serves, and the one that the spec asks for is not tried again."""

from __future__ import annotations

from plimsoll_operator.observed import Rejection
from plimsoll_operator.rollout.canary.trial import Trial
from plimsoll_operator.rollout.situation import Move


def advance(trial: Trial) -> Move:
    because = trial.rejection or Rejection("RolledBack", "it was rejected")
    message = (
        f"revision {trial.asked_for} was taken back ({because.reason}: {because.message}), and revision {trial.target} "
        f"serves: change the spec, or try it again with `kubectl plimsoll retry {trial.called}`"
    )
    return Move("RolledBack", "RolledBack", message)
