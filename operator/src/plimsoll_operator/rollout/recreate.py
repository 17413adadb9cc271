"""Recreate: every old pod ends before the first new one starts. For a GPU that cannot be had twice."""

from __future__ import annotations

from plimsoll_operator.rollout.situation import Move, Situation, retired


def advance(situation: Situation) -> Move:
    """Stop the older revisions, then start the target at full size; it is stable with its first ready pod."""
    stopping = {workload.revision: 0 for workload in situation.older if workload.replicas > 0}
    pods_left = sum(len(workload.pods) for workload in situation.older)
    if stopping or pods_left:
        message = f"waiting for {pods_left} pods of older revisions to end before {situation.target} starts"
        return Move("Progressing", "StoppingOld", message, stopping)
    running = situation.running
    if running is None:
        return Move("Progressing", "Starting", f"revision {situation.target} starts", start=True)
    done = running.ready >= situation.least
    return Move(
        phase="Progressing",
        reason="Complete" if done else "Starting",
        message=f"{running.ready} of {situation.wanted} pods of revision {situation.target} are ready",
        replicas={running.revision: situation.wanted} if running.replicas < situation.wanted else {},
        promote=done,
        retire=retired(situation.older),
    )
