"""RollingUpdate: a new pod first where a GPU is free, else one old pod makes room; never fewer than one serves."""

from __future__ import annotations

from plimsoll_operator.observed import Workload
from plimsoll_operator.rollout.situation import Move, Situation, changed, retired


def advance(situation: Situation) -> Move:
    """Grow the target one pod at a time and shrink the older revisions by as many as became ready."""
    running = situation.running
    if running is None:
        return Move("Progressing", "Starting", f"revision {situation.target} gets its first pod", start=True)

    make_room = _must_make_room(situation, running)
    kept = _kept(situation, running, make_room=make_room)
    grown = _grown(situation, running)
    replicas = changed(situation.older, kept) | ({running.revision: grown} if grown != running.replicas else {})
    # Where nothing else serves, the first ready pod is the best there is.
    done = running.ready >= (situation.wanted if situation.older else 1)
    move = Move(
        phase="Progressing",
        reason="Complete" if done else "Replacing",
        message=f"{running.ready} of {situation.wanted} pods of revision {situation.target} are ready",
        replicas=replicas,
        promote=done,
        retire=retired(situation.older),
    )
    if done or not running.unschedulable:
        return move
    return _short_of_gpus(situation, running, move, make_room=make_room)


def _grown(situation: Situation, running: Workload) -> int:
    """One more pod once all that were asked for are ready; never fewer, since the autoscaler may have raised it."""
    if not situation.older:
        return max(running.replicas, situation.wanted)
    one_more = min(situation.wanted, running.replicas + 1) if running.ready >= running.replicas else 1
    return max(running.replicas, one_more)


def _must_make_room(situation: Situation, running: Workload) -> bool:
    """A pod has no GPU to go to, and one old pod can be spared: one fewer than wanted may serve, but never none."""
    return bool(running.unschedulable) and situation.ready > max(1, situation.wanted - 1)


def _kept(situation: Situation, running: Workload, *, make_room: bool) -> dict[str, int]:
    """Replicas that each older revision keeps. Where GPUs are short, pods that serve nobody give theirs up first."""
    left = max(0, situation.wanted - running.ready)
    if make_room:
        left = min(left, sum(workload.ready for workload in situation.older) - 1)
    kept = {}
    for workload in situation.older:
        useful = workload.ready if running.unschedulable else workload.replicas
        kept[workload.revision] = min(workload.replicas, useful, left)
        left -= min(workload.ready, kept[workload.revision])
    return kept


def _short_of_gpus(situation: Situation, running: Workload, move: Move, *, make_room: bool) -> Move:
    scheduler_says = running.unschedulable[0].unschedulable
    no_room = f"no node has room for profile {situation.gpu}"
    if not situation.older:
        message = f"{no_room}: add a node or free one. The scheduler says: {scheduler_says}"
        return Move("WaitingForGPU", "NoFreeGPU", message, move.replicas)
    if make_room or move.replicas or situation.ready < situation.wanted:
        message = f"{no_room}: replacing one pod at a time. The scheduler says: {scheduler_says}"
        return Move("Progressing", "ReplacingOneAtATime", message, move.replicas, retire=move.retire)
    message = (
        f"{no_room}, and the only serving pod is not given up for revision {situation.target}: free or add a GPU, "
        f"or set spec.rollout.strategy to Recreate. The scheduler says: {scheduler_says}"
    )
    return Move("WaitingForGPU", "NoFreeGPU", message, move.replicas, retire=move.retire)
