"""Inconclusive: time is up without a decision, and a person is to make it. Harm that shows later is still acted on."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.conditions import timestamp
from plimsoll_operator.rollout.canary.capacity import kept_up
from plimsoll_operator.rollout.canary.phases.surging import stage_of
from plimsoll_operator.rollout.canary.trial import Trial, merged
from plimsoll_operator.rollout.situation import Move, retired


def advance(trial: Trial) -> Move:
    return Move(
        phase="Inconclusive",
        reason="Inconclusive",
        message=f"canary {trial.target} is compared{_since(trial)} without a decision{ends(trial)}: {decide(trial)}",
        replicas=merged(trial.withdrawn(), kept_up(trial)),
        retire=retired(trial.unproven),
        stage=replace(stage_of(trial), undecided_spec=trial.spec),
    )


def is_still(trial: Trial) -> bool:
    """Whether time was up under this very spec; a pause since then has ended nothing."""
    unknown = trial.before == "Inconclusive" and not trial.stage.undecided_spec  # As an older operator left it.
    return unknown or (trial.before in ("Inconclusive", "Paused") and trial.stage.undecided_spec == trial.spec)


def decide(trial: Trial) -> str:
    """What a person is to do."""
    commands = " or ".join(f"`kubectl plimsoll {verb} {trial.called}`" for verb in ("promote", "abort"))
    return f"{commands} decides; {_serving(trial)} until then"


def ends(trial: Trial) -> str:
    """What a person ought to know before they decide; empty where every container has stood."""
    if not trial.ended:
        return ""
    times = "once" if trial.ended == 1 else f"{trial.ended} times"
    return f", and containers of it were killed or ended {times}"


def _since(trial: Trial) -> str:
    began = trial.stage.counts_from
    return f" since {timestamp(began)}" if began else ""


def _serving(trial: Trial) -> str:
    if not trial.canary_ready and not trial.serving_ready:
        return "no pod of either revision is ready, and nothing serves"
    if not trial.canary_ready:
        return "no pod of the canary is ready, and the stable revision serves alone"
    return "both revisions serve" if trial.serving_ready else "only the canary has a pod that is ready, and serves"
