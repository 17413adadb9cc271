"""RollingUpdate: a new pod first where a GPU is free, else one old pod makes room; never fewer than one serves."""

from __future__ import annotations

from plimsoll_operator.observed import Workload
from plimsoll_operator.rollout.handover import short_of_gpus, shrunk
from plimsoll_operator.rollout.situation import Move, Situation, retired


def advance(situation: Situation) -> Move:
    """Grow the target one pod at a time and shrink the older revisions by as many as became ready."""
    running = situation.running
    if running is None:
        return Move("Progressing", "Starting", f"revision {situation.target} gets its first pod", start=True)

    grown = _grown(situation, running)
    # Where nothing else serves, the first ready pod is the best there is.
    done = running.ready >= (situation.wanted if situation.older else situation.least)
    move = Move(
        phase="Progressing",
        reason="Complete" if done else "Replacing",
        message=f"{running.ready} of {situation.wanted} pods of revision {situation.target} are ready",
        replicas=shrunk(situation, running) | ({running.revision: grown} if grown != running.replicas else {}),
        promote=done,
        retire=retired(situation.older),
    )
    if done or not running.unschedulable:
        return move
    return short_of_gpus(situation, running, move)


def _grown(situation: Situation, running: Workload) -> int:
    """One more pod once all that were asked for are ready; never fewer, since the autoscaler may have raised it."""
    if not situation.older:
        return max(running.replicas, situation.wanted)
    one_more = min(situation.wanted, running.replicas + 1) if running.ready >= running.replicas else 1
    return max(running.replicas, one_more)
