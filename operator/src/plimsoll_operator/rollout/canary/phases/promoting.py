"""Promoting: the stable revision takes over, in batches, from those that served before it.

No pod of it restarts, and as many serve as before; one fewer where one has to make room for want of a GPU. A batch is
as large as the number of GPUs that are known to be free: those that pods of the older revisions have just left.
"""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.observed import Workload
from plimsoll_operator.rollout.canary.trial import Trial, merged
from plimsoll_operator.rollout.handover import kept, short_of_gpus, shrunk
from plimsoll_operator.rollout.situation import Move, Phase, changed, retired


def advance(trial: Trial) -> Move:
    return take_over(trial, "Promoting", f"revision {trial.target} takes over")


def take_over(trial: Trial, phase: Phase, what: str) -> Move:
    """Bring the target to its full size and end everything else."""
    running = trial.running
    if running is None:
        return Move(phase, phase, f"{what}: it gets its first pod", replicas=trial.withdrawn(), start=True)
    others = replace(trial, older=trial.serving)
    # GPUs of former canaries become free by themselves: nobody makes room before they have.
    freed = changed(trial.serving, kept(others, running)) if trial.unproven else shrunk(others, running)
    grown = _grown(others, running)
    move = Move(
        phase=phase,
        reason=phase,
        message=f"{what}: {running.ready} of {trial.wanted} pods are ready",
        replicas=merged(trial.withdrawn(), freed, {running.revision: grown} if grown != running.replicas else {}),
        retire=retired(trial.older),
    )
    if not running.unschedulable or trial.unproven or running.ready >= trial.wanted:
        return move
    return short_of_gpus(others, running, move, waiting=phase)


def _grown(trial: Trial, running: Workload) -> int:
    if not trial.serving:
        return max(running.replicas, trial.wanted)
    one_more = running.replicas + 1 if running.ready >= running.replicas else running.replicas
    held = sum(pod.scheduled and not pod.terminating for w in (running, *trial.serving) for pod in w.pods)
    for_all = held - sum(kept(trial, running).values())
    return max(running.replicas, min(trial.wanted, max(one_more, for_all)))
