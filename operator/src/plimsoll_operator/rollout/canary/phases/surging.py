"""Surging: the canary gets the pods of its step, beside those that serve or in the place of one of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from plimsoll_operator.rollout.canary.capacity import kept_up, no_place, no_room, parked_before, place_given
from plimsoll_operator.rollout.canary.outage import alone_since, outage_since
from plimsoll_operator.rollout.canary.readiness import unready_since
from plimsoll_operator.rollout.canary.stage import Stage
from plimsoll_operator.rollout.canary.trial import Trial, merged
from plimsoll_operator.rollout.situation import ONE_AT_A_TIME, Move, retired


def is_done(trial: Trial) -> bool:
    """All pods of the step are ready, or one is and there is no GPU, or no quota, for the others: so many it is."""
    running = trial.running
    if running is None or not running.ready or running.replicas < trial.step.pods:
        return False
    return running.ready + running.without_a_place >= trial.step.pods


def advance(trial: Trial) -> Move:
    running = trial.running
    if running is None and (parked := parked_before(trial)):
        message = f"revision {trial.stable}, which was parked, comes back before canary {trial.target} begins"
        return Move("Surging", "Surging", message, replicas=merged(trial.withdrawn(), parked), stage=stage_of(trial))
    given = place_given(trial)
    stage = replace(stage_of(trial), gave=1) if given else stage_of(trial)
    if running is None:
        return Move(
            phase="Surging",
            reason="Surging",
            message=f"canary {trial.target} gets its first pod",
            replicas=merged(trial.withdrawn(), given),
            start=True,
            retire=retired(trial.unproven),
            stage=stage,
        )
    grown = {running.revision: trial.step.pods} if running.replicas < trial.step.pods else {}
    move = Move(
        phase="Surging",
        reason="Surging",
        message=f"{running.ready} of {trial.step.pods} pods of canary {trial.target} are ready",
        replicas=merged(trial.withdrawn(), kept_up(trial), given, grown),
        retire=retired(trial.unproven),
        stage=stage,
    )
    if not running.without_a_place:
        return move
    if given or trial.leaving or trial.size < trial.wanted:
        message = f"{no_room(trial, running)}: canary {trial.target} takes the place of one serving pod"
        return replace(move, reason=ONE_AT_A_TIME, message=message)
    return replace(move, reason="NoFreeGPU", message=no_place(trial, running))


def stage_of(trial: Trial) -> Stage:
    """The stage that status has, at the step and the share of now; a pause that has ended was no time of it."""
    missing = (trial.stage.missing_since or trial.now) if trial.data == "CanaryMissing" else None
    stage, paused = trial.stage, timedelta(0)
    if stage.paused_since and not trial.paused:
        paused = trial.now - stage.paused_since
    return replace(
        stage,
        counts_from=stage.counts_from and stage.counts_from + paused,
        step_started=stage.step_started and stage.step_started + paused,
        paused_since=(stage.paused_since or trial.now) if trial.paused else None,
        unready_since=unready_since(trial),
        outage_since=outage_since(trial),
        alone_since=alone_since(trial),
        step=trial.position,
        steps=len(trial.steps),
        weight_percent=trial.weight,
        missing_since=missing,
    )
