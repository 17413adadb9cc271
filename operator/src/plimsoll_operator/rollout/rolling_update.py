"""RollingUpdate: a new pod first where a GPU is free, else one old pod makes room; never fewer than one serves."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.observed import Workload
from plimsoll_operator.rollout.situation import ONE_AT_A_TIME, Move, Situation, changed, retired


def advance(situation: Situation) -> Move:
    """Grow the target one pod at a time and shrink the older revisions by as many as became ready."""
    running = situation.running
    if running is None:
        return Move("Progressing", "Starting", f"revision {situation.target} gets its first pod", start=True)

    shrunk = changed(situation.older, _kept(situation, running)) or _make_room(situation, running)
    grown = _grown(situation, running)
    # Where nothing else serves, the first ready pod is the best there is.
    done = running.ready >= (situation.wanted if situation.older else situation.least)
    move = Move(
        phase="Progressing",
        reason="Complete" if done else "Replacing",
        message=f"{running.ready} of {situation.wanted} pods of revision {situation.target} are ready",
        replicas=shrunk | ({running.revision: grown} if grown != running.replicas else {}),
        promote=done,
        retire=retired(situation.older),
    )
    if done or not running.unschedulable:
        return move
    return _short_of_gpus(situation, running, move)


def _grown(situation: Situation, running: Workload) -> int:
    """One more pod once all that were asked for are ready; never fewer, since the autoscaler may have raised it."""
    if not situation.older:
        return max(running.replicas, situation.wanted)
    one_more = min(situation.wanted, running.replicas + 1) if running.ready >= running.replicas else 1
    return max(running.replicas, one_more)


def _kept(situation: Situation, running: Workload) -> dict[str, int]:
    """Replicas that each older revision keeps: what the target does not serve yet, the stable one first."""
    left = max(0, situation.wanted - running.ready)
    kept = {}
    for workload in situation.older:
        kept[workload.revision] = min(workload.replicas, left)
        left -= min(workload.ready, kept[workload.revision])
    return kept


def _make_room(situation: Situation, running: Workload) -> dict[str, int]:
    """One old pod less where a new one has no GPU to go to: one that serves nobody, or else one that can be spared.

    One fewer than wanted may serve, but never none. A pod that is still ending has made room already.
    """
    if not running.unschedulable or situation.leaving:
        return {}
    can_be_spared = situation.ready > max(1, situation.wanted - 1)
    idle = [workload for workload in situation.older if workload.replicas > workload.ready]
    serving = [workload for workload in situation.older if workload.ready and can_be_spared]
    given_up = next(reversed(idle or serving), None)
    return {given_up.revision: given_up.replicas - 1} if given_up else {}


def _short_of_gpus(situation: Situation, running: Workload, move: Move) -> Move:
    scheduler_says = running.unschedulable[0].unschedulable
    no_room = f"no node has room for profile {situation.gpu}"
    if not situation.older:
        message = f"{no_room}: add a node or free one. The scheduler says: {scheduler_says}"
        return replace(move, phase="WaitingForGPU", reason="NoFreeGPU", message=message)
    if move.replicas or situation.ready < situation.wanted:
        message = f"{no_room}: replacing one pod at a time. The scheduler says: {scheduler_says}"
        return replace(move, reason=ONE_AT_A_TIME, message=message)
    if situation.leaving:
        # A pod whose successor serves holds its GPU until it has ended: nobody was given up for it.
        return move
    message = (
        f"{no_room}, and the only serving pod is not given up for revision {situation.target}: free or add a GPU, "
        f"or set spec.rollout.strategy to Recreate. The scheduler says: {scheduler_says}"
    )
    return replace(move, phase="WaitingForGPU", reason="NoFreeGPU", message=message)
