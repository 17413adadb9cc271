"""Is what should serve broken? A stable revision that does not answer must not hold a good canary back.

Nor may one that is only on its way back be given up for an unproven one: a pod whose node was drained, or that was
killed once, loads its weights for minutes, and has as long for it as a canary has.

Both clocks have to say so, the kubelet's and the operator's: neither may jump and promote what is not proven.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from plimsoll_operator.observed import Pod
from plimsoll_operator.rollout.canary.trial import Trial, waiting_since

BROKEN_FOR = timedelta(minutes=1)
"""Without a ready pod for so long, where none of them is on its way back."""

_STARTING = ("", "ContainerCreating", "PodInitializing")


def is_broken(trial: Trial) -> bool:
    """Whether none of the pods that should serve is ready, nor will be by itself."""
    since, seen = _since(trial), outage_since(trial)
    if since is None or seen is None:
        return False
    hopeless = all(pod.waiting_reason not in _STARTING for pod in _pods(trial))
    return trial.lasted(since, seen) >= (BROKEN_FOR if hopeless else max(BROKEN_FOR, trial.deadline))


def outlives_it(trial: Trial) -> bool:
    """Has a pod of the canary been ready for as long? Not after an outage of both that ended for it first."""
    since, seen = _canary_serves_since(trial), alone_since(trial)
    return since is not None and seen is not None and trial.lasted(since, seen) >= BROKEN_FOR


def outage_since(trial: Trial) -> datetime | None:
    """Since when no pod of what should serve has been seen ready; later by as long as nobody looked."""
    return None if _since(trial) is None else trial.stage.outage_since or trial.now


def alone_since(trial: Trial) -> datetime | None:
    """Since when a pod of the canary has been seen ready meanwhile, likewise."""
    if _since(trial) is None or _canary_serves_since(trial) is None:
        return None
    return trial.stage.alone_since or trial.now


def _since(trial: Trial) -> datetime | None:
    """Since when no pod of what should serve is ready; None where one is, or where that is not known."""
    if trial.serving_ready or not trial.serving:
        return None
    moments = [_unready_since(pod) for pod in _pods(trial)] or [_canary_serves_since(trial)]  # all that is known
    known = [moment for moment in moments if moment is not None]
    return max(known) if len(known) == len(moments) else None


def _pods(trial: Trial) -> Iterator[Pod]:
    return (pod for workload in trial.serving for pod in workload.pods if not pod.terminating)


def _unready_since(pod: Pod) -> datetime | None:
    """Of one without a node: since it was made."""
    if not pod.scheduled and pod.milestones is not None:
        return pod.milestones.created
    return waiting_since(pod)


def _canary_serves_since(trial: Trial) -> datetime | None:
    """Since when a pod of the canary is ready, without a break."""
    pods = trial.running.pods if trial.running else ()
    reached = (pod.milestones.ready_changed for pod in pods if pod.ready and pod.milestones)
    return min((moment for moment in reached if moment is not None), default=None)
