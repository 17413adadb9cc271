"""Was a pod ended for memory, and what ran in it? Kept in sight for an hour, since it soon serves as if nothing was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from plimsoll_operator.conditions import Condition, timestamp
from plimsoll_operator.observed import Observed, Pod

OOM_KILLED = "OOMKilled"
IN_SIGHT = timedelta(hours=1)
ADVICE = "lower spec.server.memoryUtilizationPercent or the tiers' concurrency, or raise the memory limit"


def out_of_memory(observed: Observed, now: datetime) -> Condition:
    """True within an hour of the last kill in a pod of a revision that runs."""
    kills = [(moment, pod) for moment, pod in _kills(observed) if now - moment < IN_SIGHT]
    if not kills:
        return Condition("OutOfMemory", "False", "NoneKilled", "no pod was killed for memory within the last hour")
    moment, pod = max(kills, key=lambda kill: (kill[0], kill[1].name))
    message = f"pod {pod.name} of revision {pod.revision} was killed for memory at {timestamp(moment)}{ran(pod)}"
    return Condition("OutOfMemory", "True", OOM_KILLED, f"{message}: {ADVICE}")


def ran(pod: Pod) -> str:
    """What the server had noted that it ran, as the end of a sentence; empty where it ran nothing, or was not ours."""
    if pod.last_pack is None:
        return ""
    pack = pod.last_pack
    return f" while tier {pack.tier} ran {pack.tokens} tokens in a batch of {pack.sequences}"


def _kills(observed: Observed) -> Iterator[tuple[datetime, Pod]]:
    for workload in observed.workloads.values():
        for pod in workload.pods:
            if pod.last_exit_reason == OOM_KILLED and pod.last_exit_at is not None:
                yield pod.last_exit_at, pod
