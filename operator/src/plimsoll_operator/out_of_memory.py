"""Was a pod ended for memory, and what ran in it? Kept in status for an hour: the pod soon serves as if nothing was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from plimsoll_operator.conditions import Condition, timestamp
from plimsoll_operator.observed import Manifest, Observed, Pack, Pod

OOM_KILLED = "OOMKilled"
IN_SIGHT = timedelta(hours=1)
TOLD_LATE = timedelta(seconds=30)
"""By so much at most the kubelet tells later that a pod is not ready than when its container ended."""
ADVICE = "lower spec.server.memoryUtilizationPercent or the tiers' concurrency, or raise the memory limit"


@dataclass(frozen=True)
class Kill:
    """A pod that was ended for memory, and what the server had noted that it ran."""

    pod: str
    revision: str
    at: datetime
    pack: Pack | None = None


def out_of_memory(observed: Observed, now: datetime) -> Condition:
    """True within an hour of the last kill, whatever has become of the pod since."""
    kill = last_kill(observed, now)
    if kill is None:
        return Condition("OutOfMemory", "False", "NoneKilled", "no pod was seen killed for memory within the last hour")
    message = (
        f"pod {kill.pod} of revision {kill.revision} was killed for memory at {timestamp(kill.at)}{ran(kill.pack)}"
    )
    return Condition("OutOfMemory", "True", OOM_KILLED, f"{message}: {ADVICE}")


def last_kill(observed: Observed, now: datetime) -> Kill | None:
    """The newest that the pods tell of or that status has kept: a pod forgets it at its next exit."""
    kills = [*_kills(observed), *_kept(observed.owner.status)]
    in_sight = [kill for kill in kills if now - kill.at < IN_SIGHT]
    return max(in_sight, key=lambda kill: (kill.at, kill.pod), default=None)


def render_out_of_memory(observed: Observed, now: datetime) -> dict[str, Any]:
    """For `status`: empty when no kill is in sight."""
    kill = last_kill(observed, now)
    if kill is None:
        return {}
    told = {"pod": kill.pod, "revision": kill.revision, "at": timestamp(kill.at), "stablePodsDown": _down(observed)}
    return told | (asdict(kill.pack) if kill.pack else {})


def _down(observed: Observed) -> int:
    """Pods of the stable revision that were killed for memory and have not been ready again."""
    stable = observed.workload(observed.stable.hash) if observed.stable else None
    pods = stable.pods if stable else ()
    return sum(not (pod.ready or pod.terminating or _came_back(pod)) for pod in pods if _was_killed(pod))


def _was_killed(pod: Pod) -> bool:
    return pod.last_exit_reason == OOM_KILLED


def _came_back(pod: Pod) -> bool:
    """Whether a pod that is unready was ready since its kill: it ceased to be later, for another reason."""
    changed = pod.milestones.ready_changed if pod.milestones else None
    return changed is not None and pod.last_exit_at is not None and changed - pod.last_exit_at > TOLD_LATE


def ran(pack: Pack | None) -> str:
    """What the server had noted that it ran, as the end of a sentence; empty where it ran nothing, or was not ours."""
    return f" while tier {pack.tier} ran {pack.tokens} tokens in a batch of {pack.sequences}" if pack else ""


def _kills(observed: Observed) -> Iterator[Kill]:
    for workload in observed.workloads.values():
        for pod in workload.pods:
            if pod.last_exit_reason == OOM_KILLED and pod.last_exit_at is not None:
                yield Kill(pod.name, pod.revision, pod.last_exit_at, pod.last_pack)


def _kept(status: Manifest) -> Iterator[Kill]:
    told = status.get("outOfMemory")
    if told:
        pack = Pack(told["tier"], told["tokens"], told["sequences"]) if "tier" in told else None
        yield Kill(told["pod"], told["revision"], datetime.fromisoformat(told["at"]), pack)
