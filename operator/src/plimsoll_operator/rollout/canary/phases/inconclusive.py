"""Inconclusive: time is up without a decision, and a person is to make it. Harm that shows later is still acted on."""

from __future__ import annotations

from plimsoll_operator.rollout.canary.capacity import kept_up
from plimsoll_operator.rollout.canary.phases.surging import stage_of
from plimsoll_operator.rollout.canary.trial import Trial, merged
from plimsoll_operator.rollout.situation import Move, retired


def advance(trial: Trial) -> Move:
    return Move(
        phase="Inconclusive",
        reason="Inconclusive",
        message=(
            f"canary {trial.target} was compared for {int(trial.settings.max_duration.total_seconds())} s without a "
            f"decision: {decide(trial)}"
        ),
        replicas=merged(trial.withdrawn(), kept_up(trial)),
        retire=retired(trial.unproven),
        stage=stage_of(trial),
    )


def decide(trial: Trial) -> str:
    """What a person is to do."""
    commands = " or ".join(f"`kubectl plimsoll {verb} {trial.called}`" for verb in ("promote", "abort"))
    return f"{commands} decides; both revisions serve until then"
