"""Where a canary's GPU comes from: a free one, or the place of one pod that serves.

Whether a GPU is free is told by the scheduler, not read from Nodes (docs/decisions/0006): a pod that has no place says
so within a second, and for every reason that there is.
"""

from __future__ import annotations

from plimsoll_operator.observed import Workload
from plimsoll_operator.rollout.canary.outage import is_broken
from plimsoll_operator.rollout.canary.trial import Trial
from plimsoll_operator.rollout.placed import with_a_node


def place_given(trial: Trial) -> dict[str, int]:
    """One serving pod less for the canary's first one: from the start with Replace, for want of a GPU with Auto."""
    if trial.canary_ready or trial.leaving:
        return {}
    if trial.settings.capacity == "Replace" and _may_give(trial, least=1):
        return _one_less(trial)
    if trial.running is None or not trial.running.without_a_place:
        return {}
    if is_broken(trial) and trial.settings.capacity != "Surge":
        return _one_less(trial)
    if trial.settings.capacity == "Auto" and _may_give(trial, least=max(1, trial.min_replicas)):
        return _one_less(trial)
    return {}


def kept_up(trial: Trial) -> dict[str, int]:
    """The stable revision at its size: one less where it gave a place. Not while the canary still waits for one."""
    stable = next((workload for workload in trial.serving if workload.revision == trial.stable), None)
    if stable is None or trial.running is None or trial.running.without_a_place:
        return {}
    missing = trial.wanted - trial.stage.gave - trial.size
    return {stable.revision: stable.replicas + missing} if missing > 0 else {}


def parked_before(trial: Trial) -> dict[str, int]:
    """The stable revision at its size, where it was told to run no pod."""
    return {workload.revision: trial.wanted for workload in trial.serving[:1] if not trial.size}


def no_room(trial: Trial, running: Workload) -> str:
    """What there is none of, for at least one of the canary's pods."""
    return f"{'no node has' if running.unschedulable else 'the quota has no'} room for profile {trial.gpu}"


def no_place(trial: Trial, running: Workload) -> str:
    """Why the canary waits, and what would help."""
    says = (
        f"The scheduler says: {running.unschedulable[0].unschedulable}"
        if running.unschedulable
        else f"The apiserver says: {running.replica_failure}"
    )
    return f"{no_room(trial, running)}, and canary {trial.target} waits: {_help(trial)}. {says}"


def _help(trial: Trial) -> str:
    """Only what leaves a pod that serves, and makes room."""
    if trial.stage.gave:
        return "the autoscaler needed the place that a serving pod gave up for it: free or add a GPU"
    if trial.size <= 1:
        return "the only serving pod is not given up for it: add another GPU, or set rollout.strategy to Recreate"
    match trial.settings.capacity:
        case "Replace":
            return "the only pod that is ready is not given up for it: free or add a GPU"
        case "Surge":
            return "free or add a GPU, or set rollout.canary.capacity to Auto"
    lower = "lower scaling.minReplicas, " if trial.autoscaled and trial.min_replicas > 1 else ""
    return (
        f"minReplicas {trial.min_replicas} spares no pod for it: free or add a GPU, {lower}"
        "or set rollout.canary.capacity to Replace"
    )


def _may_give(trial: Trial, least: int) -> bool:
    """One pod is given up for a canary, not more, and not below `least` nor below one that is ready."""
    whole = not trial.stage.gave and trial.size >= trial.wanted
    return whole and with_a_node(trial.serving) - 1 >= least and trial.serving_ready > 1


def _one_less(trial: Trial) -> dict[str, int]:
    """The last one of those that serve: an older revision before the stable one.

    One that has a node: pods that wait for one themselves have no place to give.
    """
    giving = next((workload for workload in reversed(trial.serving) if with_a_node([workload])), None)
    return {giving.revision: with_a_node([giving]) - 1} if giving else {}
