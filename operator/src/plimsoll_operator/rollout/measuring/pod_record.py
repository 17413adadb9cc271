"""How the pods of two revisions ended, from the Kubernetes API alone: kills for memory, other restarts, failed starts.

A pod tells how often its container was started and how it ended last, not how it ended each time. What is new is told
by comparing with the counts that status keeps; it keeps those of pods that ended at all, which are few. A pod that its
kubelet evicted ended as well, once and for ever; it is kept by name for as long as it may be taken for a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from plimsoll_operator.observed import MEMORY, Pod, Workload
from plimsoll_operator.out_of_memory import OOM_KILLED
from plimsoll_operator.rollout.evidence import Counts, Interval, Pods, SeriesKey, Stratum

KILLS = SeriesKey("oom", "kills")
RESTARTS = SeriesKey("restarts")
STRATUM = Stratum("pods")

KILLED = 137
"""Exit code of a process ended by SIGKILL: for memory, or by the kubelet after a probe that failed or a lost node."""

MOST_PODS = 64
"""Pods whose exits status keeps: those that ended most often."""

LATELY = timedelta(minutes=10)
"""Before the record: what was evicted by then and is not named in it is new, unless the clocks are further apart."""


@dataclass(frozen=True)
class PodRecord:
    """What is kept in status: `exits` by pod as they were `at` that moment, and what the canary did since it began.

    Batches, and shortages of memory in them, are the servers' own counts as Prometheus told them: of the canary the
    most that it told, of stable the newest of the processes that ran then. `stable_seconds` are the pod-seconds in
    which stable's batches were compared.
    """

    at: datetime
    exits: Mapping[str, int] = field(default_factory=dict)
    canary_kills: int = 0
    canary_failed_starts: int = 0
    canary_shortages: int = 0
    stable_shortages: int = 0
    canary_batches: int = 0
    stable_batches: int = 0
    stable_seconds: int = 0

    @property
    def unnamed(self) -> int:
        """Most exits that a pod may have had by then that is not named."""
        return min(self.exits.values()) if len(self.exits) == MOST_PODS else 0


@dataclass(frozen=True)
class News:
    """What one revision's pods did since the record was made."""

    minutes: float
    kills: int
    restarts: int
    failed_starts: int


def begin(stable: Workload | None, now: datetime, canary: Workload | None = None) -> PodRecord:
    """A record in which whatever the canary does is new, and nothing that the stable revision did before.

    What was evicted of a canary that is tried once more was so in the trial before.
    """
    return PodRecord(now, _exits([*_ended_lately(canary, now), *_lately(stable, now)]))


def news(workload: Workload | None, record: PodRecord, now: datetime) -> News:
    """What the pods that are there, or were evicted, did since the record; of those that are gone nothing is known."""
    pods = _lately(workload, record.at)
    new = {pod.name: exits_of(pod) - _known(pod, record) for pod in pods}
    ended = [pod for pod in pods if new[pod.name] > 0]
    # The last exit stands for those that were not seen: a pod that ends again and again does so for one reason.
    kills = sum(new[pod.name] for pod in ended if was_killed(pod))
    return News(
        minutes=sum(_minutes(pod, record.at, now) for pod in pods),
        kills=kills,
        restarts=sum(new[pod.name] for pod in ended) - kills,
        failed_starts=sum(new[pod.name] for pod in ended if failed_to_start(pod)),
    )


def carried_on(record: PodRecord, canary: Workload | None, stable: Workload | None, now: datetime) -> PodRecord:
    """The record with what is new in it."""
    new = news(canary, record, now)
    pods = [pod for workload in (canary, stable) for pod in _lately(workload, now)]
    return replace(
        record,
        at=now,
        exits=_exits(pods),
        canary_kills=record.canary_kills + new.kills,
        canary_failed_starts=record.canary_failed_starts + new.failed_starts,
    )


def interval(canary: News, stable: News, *, start: datetime, end: datetime) -> Interval:
    """As one interval of the evidence, in pod-minutes."""
    return Interval(
        start,
        end,
        {
            KILLS: {STRATUM: Counts(canary.minutes, stable.minutes, canary.kills, stable.kills)},
            RESTARTS: {STRATUM: Counts(canary.minutes, stable.minutes, canary.restarts, stable.restarts)},
        },
    )


def hard_starts(workload: Workload) -> int:
    """Ends of pods that serve by now and did not before: nobody may have looked while they failed to start."""
    return sum(exits_of(pod) for pod in _staying(workload) if was_hard_to_start(pod))


def totals(record: PodRecord, canary: Workload | None, stable: Workload | None, now: datetime) -> Pods:
    """For the rules that need no long look. The stable revision's whole past counts, as far as its pods tell it."""
    new = carried_on(record, canary, stable, now)
    known = [*_staying(stable), *(stable.evicted if stable else ())]
    hard = [pod for pod in known if failed_to_start(pod) or was_hard_to_start(pod)]
    served = [pod for pod in known if pod not in hard]
    return Pods(
        canary_kills=new.canary_kills,
        stable_kills=sum(map(kills_of, known)),
        canary_minutes=sum(_minutes(pod, None, now) for pod in _staying(canary)),
        stable_minutes=sum(_minutes(pod, None, now) for pod in known),
        canary_failed_starts=new.canary_failed_starts,
        stable_failed_starts=sum(map(exits_of, hard)),
        stable_ends=sum(map(ended_serving, known)),
        canary_started=len(_staying(canary)),
        stable_started=sum(map(exits_of, served)) + sum(pod.ready for pod in known),
        canary_shortages=new.canary_shortages,
        stable_shortages=new.stable_shortages,
        canary_batches=new.canary_batches,
        stable_batches=new.stable_batches,
    )


def exits_of(pod: Pod) -> int:
    """How often the container ended: once more than it was started again, while it is not running."""
    down = pod.last_exit_at is not None and (pod.milestones is None or pod.milestones.running is None)
    return pod.restarts + down


def was_killed(pod: Pod) -> bool:
    """For memory. The exit code alone says so only where the runtime gives no reason at all."""
    if pod.evicted:
        return pod.evicted == MEMORY
    return pod.last_exit_reason == OOM_KILLED or (pod.last_exit_code == KILLED and not pod.last_exit_reason)


def kills_of(pod: Pod) -> int:
    """How often it was, of one whose past nobody followed: the last exit stands for all."""
    return exits_of(pod) if was_killed(pod) else 0


def ended_serving(pod: Pod) -> int:
    """Likewise, how often it ended in another way once it was ready."""
    return 0 if was_killed(pod) or failed_to_start(pod) or was_hard_to_start(pod) else exits_of(pod)


def failed_to_start(pod: Pod) -> bool:
    """Whether the last run ended before the pod was ready: it is not, and did not cease to be at that run's end."""
    if pod.ready or pod.last_exit_at is None or (pod.evicted and pod.last_run is None):
        return False
    changed = pod.milestones.ready_changed if pod.milestones else None
    began = pod.last_exit_at - (pod.last_run or timedelta(0))
    # Times of the API are whole seconds.
    return changed is None or changed <= began + timedelta(seconds=1)


def was_hard_to_start(pod: Pod) -> bool:
    """Whether one that is ready now ended before in less time than it took to get ready: it cannot have been then."""
    reached = pod.milestones
    if not pod.ready or pod.last_run is None or reached is None:
        return False
    if reached.running is None or reached.ready_changed is None:
        return False
    return pod.last_run <= reached.ready_changed - reached.running


def _staying(workload: Workload | None) -> list[Pod]:
    """Pods that nobody has told to end: how one ends that was is not its revision's doing."""
    return [pod for pod in workload.pods if not pod.terminating] if workload else []


def _lately(workload: Workload | None, at: datetime) -> list[Pod]:
    """Those, and the ones that were evicted since just before that moment."""
    return [*_staying(workload), *_ended_lately(workload, at)]


def _ended_lately(workload: Workload | None, at: datetime) -> list[Pod]:
    evicted = workload.evicted if workload else ()
    return [pod for pod in evicted if pod.last_exit_at is not None and pod.last_exit_at > at - LATELY]


def _known(pod: Pod, record: PodRecord) -> int:
    """Exits of that pod by the time of the record. One that was evicted by then, and may seem new, is named in it."""
    unnamed = min(record.unnamed, exits_of(pod) - 1) if pod.evicted else record.unnamed
    return record.exits.get(pod.name, unnamed)


def _exits(pods: Iterable[Pod]) -> dict[str, int]:
    counted = {pod.name: count for pod in pods if (count := exits_of(pod)) > 0}
    kept = sorted(counted, key=lambda name: (-counted[name], name))[:MOST_PODS]
    return {name: counted[name] for name in sorted(kept)}


def _minutes(pod: Pod, since: datetime | None, now: datetime) -> float:
    """How long the pod has been on a node, since that moment."""
    reached = pod.milestones
    began = reached.scheduled if reached else None
    if began is None:
        return 0.0
    until = min(now, pod.last_exit_at) if pod.evicted and pod.last_exit_at else now
    return max(0.0, (until - (began if since is None else max(began, since))) / timedelta(minutes=1))
