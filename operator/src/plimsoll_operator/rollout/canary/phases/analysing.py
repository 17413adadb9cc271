"""Analysing: the canary has its share of the traffic, and is compared until the evidence suffices or time is up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from plimsoll_operator.observed import Rejection
from plimsoll_operator.rollout.canary.capacity import kept_up
from plimsoll_operator.rollout.canary.decision import promotion, rejected
from plimsoll_operator.rollout.canary.phases.inconclusive import decide, ends
from plimsoll_operator.rollout.canary.phases.surging import stage_of
from plimsoll_operator.rollout.canary.stage import Stage
from plimsoll_operator.rollout.canary.trial import Trial, merged
from plimsoll_operator.rollout.evidence import MIN_REQUESTS, step_is_done
from plimsoll_operator.rollout.measuring.data import BLIND
from plimsoll_operator.rollout.situation import Move, retired


def advance(trial: Trial) -> Move:
    trial = replace(trial, stage=_begun(trial))
    last = trial.position == len(trial.steps)
    step_done, time_up = _step_is_done(trial), _time_is_up(trial)
    if trial.verdict and trial.verdict.decision == "Promote" and ((last and step_done) or time_up):
        return promotion(trial, trial.verdict.message)
    if time_up:
        return _undecided(trial) if _was_compared(trial) else _without_data(trial)
    return _going_on(trial) if last or not step_done else _next_step(trial)


def _begun(trial: Trial) -> Stage:
    """The clocks of the analysis and of its step run from the first look at them.

    Where time was up without data, which was waited for, all of that time is there again once data is.
    """
    stage = replace(stage_of(trial), undecided_spec="")
    if stage.counts_from is None or (stage.held and trial.data == "Measured"):
        stage = replace(stage, counts_from=trial.now - _unseen(trial), held=False)
    if stage.step_started is None:
        stage = replace(stage, step_started=trial.now, step_requests=trial.requests, step_blind=trial.blind)
    return stage


def _unseen(trial: Trial) -> timedelta:
    """Time of this analysis that does not count, since there was nothing to see."""
    return trial.blind if trial.settings.on_no_data == "Hold" else timedelta(0)


def _step_is_done(trial: Trial) -> bool:
    """By time with data alone, and not while it lacks: what the canary does then nobody knows."""
    began = trial.stage.step_started or trial.now
    seen = trial.now - began - (trial.blind - trial.stage.step_blind)
    return trial.data not in BLIND and step_is_done(trial.requests - trial.stage.step_requests, seen, trial.analysis)


def _next_step(trial: Trial) -> Move:
    number = trial.position + 1
    pods = trial.steps[number - 1].pods
    running = trial.running
    grown = {running.revision: pods} if running and running.replicas < pods else {}
    return Move(
        phase="Surging",
        reason="Surging",
        message=f"canary {trial.target} goes on to step {number} of {len(trial.steps)}: {pods} pods",
        replicas=merged(trial.withdrawn(), kept_up(trial), grown),
        retire=retired(trial.unproven),
        stage=replace(trial.stage, step=number, step_started=None, step_requests=0, step_blind=timedelta(0)),
    )


def _time_is_up(trial: Trial) -> bool:
    return _lasted(trial) >= trial.settings.max_duration


def _lasted(trial: Trial) -> timedelta:
    return trial.now - (trial.stage.counts_from or trial.now) - _unseen(trial)


def _was_compared(trial: Trial) -> bool:
    """Whether there was data; a lull at the very end is waited out, or else makes none of what was seen undone.

    Who is blind at the end does not know what the canary does by now, whatever it did before.
    """
    lull = trial.data not in BLIND and trial.settings.on_no_data != "Hold"
    return trial.data == "Measured" or (lull and trial.requests >= MIN_REQUESTS)


def _undecided(trial: Trial) -> Move:
    """There was data, and it showed neither harm nor its absence."""
    return _inconclusive(trial, f"{trial.requests} requests in {_duration(trial)} showed neither harm nor its absence")


def _inconclusive(trial: Trial, asked: str) -> Move:
    match trial.settings.on_inconclusive:
        case "Promote":
            return promotion(trial, f"{asked}, and rollout.canary.onInconclusive is Promote")
        case "Rollback":
            return rejected(trial, Rejection("Inconclusive", f"{asked}, and rollout.canary.onInconclusive is Rollback"))
    return replace(
        _going_on(trial),
        stage=replace(trial.stage, undecided_spec=trial.spec),
        phase="Inconclusive",
        reason="Inconclusive",
        message=f"{asked}: {decide(trial)}",
    )


def _without_data(trial: Trial) -> Move:
    asked = f"there was nothing to compare it by after {_duration(trial)} ({trial.data})"
    match trial.settings.on_no_data:
        case "Promote" if trial.ended:
            return _inconclusive(trial, f"{asked}{ends(trial)}")
        case "Promote" if trial.data != "CanaryMissing":
            return promotion(trial, f"{asked}, and rollout.canary.onNoData is Promote")
        case "Rollback":
            return rejected(trial, Rejection("NoData", f"{asked}, and rollout.canary.onNoData is Rollback"))
    return _going_on(replace(trial, stage=replace(trial.stage, held=True)))


def _going_on(trial: Trial) -> Move:
    verdict = trial.verdict
    why = verdict.message if verdict else "nothing is measured"
    return Move(
        phase="Analysing",
        reason="Analysing" if trial.data == "Measured" else trial.data,
        message=f"step {trial.position} of {len(trial.steps)}, {trial.weight} % of the pods: {why}",
        replicas=merged(trial.withdrawn(), kept_up(trial)),
        retire=retired(trial.unproven),
        stage=trial.stage,
    )


def _duration(trial: Trial) -> str:
    return f"{int(_lasted(trial).total_seconds())} s"
