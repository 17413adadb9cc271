"""RolledBack: the stable revision serves, and the one that the spec asks for is not tried again."""

from __future__ import annotations

from plimsoll_operator.observed import Rejection
from plimsoll_operator.rollout.canary.trial import Trial
from plimsoll_operator.rollout.situation import Move


def advance(trial: Trial) -> Move:
    because = trial.rejection or Rejection("RolledBack", "it was rejected")
    what = f"the restart as revision {trial.asked_for}" if trial.restart else f"revision {trial.asked_for}"
    message = (
        f"{what} was taken back ({because.reason}: {because.message}), and revision {trial.target} "
        f"{_serves(trial)}: {_way_on(trial)}, or try it again with `kubectl plimsoll retry {trial.called}`"
    )
    return Move("RolledBack", "RolledBack", message)


def _serves(trial: Trial) -> str:
    return "serves" if trial.canary_ready or trial.serving_ready else "is to serve, but no pod of it is ready"


def _way_on(trial: Trial) -> str:
    """What serves is of the very spec that a restart was of: it cannot be changed to that."""
    if trial.restart:
        return f"leave it at that with `kubectl plimsoll abort {trial.called}`, which restarts nothing"
    return "change the spec"
