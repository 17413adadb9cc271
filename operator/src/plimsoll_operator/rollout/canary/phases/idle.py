"""Idle: all pods are of the revision that the spec asks for."""

from __future__ import annotations

from plimsoll_operator.rollout.canary.trial import Trial
from plimsoll_operator.rollout.situation import Move


def advance(trial: Trial) -> Move:
    return Move("Idle", "AsAsked", f"revision {trial.target} serves")
