"""Paused: a person holds steps and promotion. The canary keeps its share, and is still taken back for harm."""

from __future__ import annotations

from plimsoll_operator.rollout.canary.capacity import kept_up
from plimsoll_operator.rollout.canary.phases.surging import stage_of
from plimsoll_operator.rollout.canary.trial import Trial, merged
from plimsoll_operator.rollout.situation import Move, retired


def advance(trial: Trial) -> Move:
    reason, message = trial.paused or ("Paused", "the rollout is paused")
    return Move(
        phase="Paused",
        reason=reason,
        message=message,
        replicas=merged(trial.withdrawn(), kept_up(trial)),
        retire=retired(trial.unproven),
        stage=stage_of(trial) if trial.running else None,
    )
