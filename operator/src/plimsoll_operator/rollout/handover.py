"""Pods change hands from older revisions to the target: as many go as have become ready, and never too many."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.observed import Workload
from plimsoll_operator.rollout.situation import ONE_AT_A_TIME, Move, Phase, Situation, changed


def shrunk(situation: Situation, running: Workload) -> dict[str, int]:
    """New replicas of the older revisions that may shrink now."""
    return changed(situation.older, kept(situation, running)) or _make_room(situation, running)


def kept(situation: Situation, running: Workload) -> dict[str, int]:
    """Replicas that each older revision keeps: what the target does not serve yet, the stable one first."""
    left = max(0, situation.wanted - running.ready)
    result = {}
    for workload in situation.older:
        result[workload.revision] = min(workload.replicas, left)
        left -= min(workload.ready, result[workload.revision])
    return result


def _make_room(situation: Situation, running: Workload) -> dict[str, int]:
    """One old pod less where a new one has no GPU to go to: one that serves nobody, or else one that can be spared.

    One fewer may serve than are wanted and can be carried, but never none. A pod that is still ending has made room
    already.
    """
    if not running.without_a_place or situation.leaving:
        return {}
    can_be_spared = situation.ready > max(1, situation.carried - 1)
    idle = [workload for workload in situation.older if workload.replicas > workload.ready]
    serving = [workload for workload in situation.older if workload.ready and can_be_spared]
    given_up = next(reversed(idle or serving), None)
    return {given_up.revision: given_up.replicas - 1} if given_up else {}


def short_of_gpus(situation: Situation, running: Workload, move: Move, waiting: Phase = "WaitingForGPU") -> Move:
    """The move of a target that has pods without a GPU: what is done about it, or that it waits, and in which phase."""
    scheduler_says = running.unschedulable[0].unschedulable
    no_room = f"no node has room for profile {situation.gpu}"
    if not situation.older:
        message = f"{no_room}: add a node or free one. The scheduler says: {scheduler_says}"
        return replace(move, phase=waiting, reason="NoFreeGPU", message=message)
    if move.replicas or (situation.ready < situation.wanted and not _only_one_serves(situation, running)):
        message = f"{no_room}: replacing one pod at a time. The scheduler says: {scheduler_says}"
        return replace(move, reason=ONE_AT_A_TIME, message=message)
    if situation.leaving:
        # A pod whose successor serves holds its GPU until it has ended: nobody was given up for it.
        return move
    message = (
        f"{no_room}, and the only serving pod is not given up for revision {situation.target}: free or add a GPU, "
        f"or set spec.rollout.strategy to Recreate. The scheduler says: {scheduler_says}"
    )
    return replace(move, phase=waiting, reason="NoFreeGPU", message=message)


def _only_one_serves(situation: Situation, running: Workload) -> bool:
    """And no pod of the target is on its way, nor a GPU for one."""
    starts = any(pod.scheduled and not pod.ready and not pod.terminating for pod in running.pods)
    return situation.ready == 1 and not running.ready and not starts and not situation.leaving
