"""Parked: no pod is to run, so there is nothing to judge by. Which revision is stable, and which on trial, stays."""

from __future__ import annotations

from plimsoll_operator.rollout.canary.trial import Trial
from plimsoll_operator.rollout.situation import Move, retired


def advance(trial: Trial) -> Move:
    """Every pod goes, the canary's with its Deployment: its trial begins anew when there are pods again."""
    running = (trial.running,) if trial.running else ()
    return Move(
        phase="Paused",
        reason="Untried",
        message=(
            f"spec.scaling.minReplicas is 0, so no pod runs: revision {trial.target} is tried when there are pods again"
        ),
        replicas={workload.revision: 0 for workload in (*trial.older, *running) if workload.replicas},
        retire=retired((*trial.unproven, *running)),
    )
