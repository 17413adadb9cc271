"""What Prometheus would measure of two revisions, on plain data: counters that grow at a steady rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from builders import Cluster, make_spec
from plimsoll_operator.observed import Manifest, Milestones
from plimsoll_operator.plan import Plan
from plimsoll_operator.reconcile import reconcile
from plimsoll_operator.rollout.measuring.inquiry import inquire
from plimsoll_operator.rollout.measuring.measurements import Counter, Inquiry, Measurements, Problem
from plimsoll_operator.rollout.measuring.signals import ALL, BATCHES, DURATION, INCIDENTS, OOM, REQUESTS
from plimsoll_operator.rollout.measuring.signals import DURATION_BY_SIZE as BY_SIZE

NO_PODS: Mapping[str, str] = {}
BOUNDS = ("0.1", "0.25", "1.0", ALL)


@dataclass(frozen=True)
class Traffic:
    """Events per second of a replica's tier; `slow` of them take longer than 0.25 s. `up` is when it answered first.

    Callers give up `abandoned` more, have `remembered` more answered from memory, and send as much that is spoilt as is
    answered by the model.
    """

    ok: float = 10.0
    failed: float = 0.0
    abandoned: float = 0.0
    remembered: float = 0.0
    slow: float = 0.0
    out_of_memory: float = 0.0
    up: datetime | None = None
    tier: str = "short"
    length: str = ""


Tiers = Traffic | tuple[Traffic, ...] | None
"""Of one replica, the traffic of each of its tiers; None for one that is not known."""


def counters_of(revision: str, replica: str, traffic: Traffic, seconds: float) -> dict[tuple[str, Counter], float]:
    """All counters of one tier of a replica, so many seconds after its first answer."""

    def counter(metric: str, label: str = "") -> Counter:
        return Counter(revision, replica, traffic.tier, metric, label, traffic.length if metric == BY_SIZE else "")

    ok, slow = round(traffic.ok * seconds), round(traffic.slow * seconds)
    failed = round(traffic.failed * seconds)
    return {
        ("errors", counter(REQUESTS, "ok")): ok,
        ("errors", counter(REQUESTS, "error")): failed,
        ("errors", counter(REQUESTS, "invalid")): ok,
        ("errors", counter(REQUESTS, "remembered")): round(traffic.remembered * seconds),
        ("errors", counter(REQUESTS, "cancelled")): round(traffic.abandoned * seconds),
        ("errors", counter(INCIDENTS)): failed,
        **{
            ("latency", counter(metric, bound)): ok if bound in ("1.0", ALL) else ok - slow
            for metric in ((DURATION, BY_SIZE) if traffic.length else (DURATION,))
            for bound in BOUNDS
        },
        ("oom", counter(BATCHES)): ok + failed,
        ("oom", counter(OOM)): round(traffic.out_of_memory * seconds),
    }


def measured(inquiry: Inquiry, canary: Tiers, stable: Tiers, pods: Mapping[str, str] = NO_PODS) -> Measurements:
    """The answer of a Prometheus that has scraped one replica of each revision; `pods` are their names by revision."""
    moments = tuple(inquiry.first + step * inquiry.step for step in range(inquiry.steps + 1))
    series: dict[str, dict[Counter, list[float | None]]] = {}
    each = [
        (revision, one) for revision, of in ((inquiry.canary, canary), (inquiry.stable, stable)) for one in _each(of)
    ]
    for revision, traffic in each:
        up = traffic.up or moments[0] - timedelta(hours=1)
        for index, moment in enumerate(moments):
            if moment < up:
                continue
            read = counters_of(revision, pods.get(revision, f"{revision}-0"), traffic, (moment - up).total_seconds())
            for (signal, counter), value in read.items():
                values = series.setdefault(signal, {}).setdefault(counter, [None] * len(moments))
                values[index] = value
    counters = {signal: {c: tuple(values) for c, values in of.items()} for signal, of in series.items()}
    return Measurements(inquiry.since, moments, counters)


def _each(tiers: Tiers) -> tuple[Traffic, ...]:
    return (tiers,) if isinstance(tiers, Traffic) else tiers or ()


def lose_prometheus(cluster: Cluster, seconds: float = 10) -> None:
    """One look in vain."""
    cluster.now += timedelta(seconds=seconds)
    problem = Problem("PrometheusUnreachable", "Prometheus at http://prometheus:9090: no answer within 3 s")
    inquiry = inquire(cluster.observed.owner, cluster.now)
    told = None if inquiry is None else Measurements(inquiry.since, problem=problem)
    cluster.observed = replace(cluster.observed, measurements=told)
    tell(cluster)


def look_at(cluster: Cluster, canary: Tiers, stable: Tiers) -> None:
    """Have the next reconcile see what Prometheus tells by now, if there is anything to ask."""
    inquiry = inquire(cluster.observed.owner, cluster.now)
    pods = {hash_: found.pods[0].name for hash_, found in cluster.observed.workloads.items() if found.pods}
    told = None if inquiry is None else measured(inquiry, canary, stable, pods)
    cluster.observed = replace(cluster.observed, measurements=told)


def trial(**rollout: object) -> Cluster:
    """A canary with a ready pod beside three of the stable revision; nothing is measured yet."""

    def spec(version: int) -> Manifest:
        return make_spec(
            model={"uri": f"pvc://models/v{version}"},
            scaling={"minReplicas": 3, "provider": "None"},
            rollout={"strategy": "Canary", **rollout},
        )

    return begun(spec(1), spec(2))


def begun(before: Manifest, after: Manifest) -> Cluster:
    """A canary of `after` with a ready pod beside the stable revision of `before`; nothing is measured yet."""
    cluster = Cluster(before)
    cluster.settle()
    cluster.change(after)
    for _ in range(20):
        cluster.reconcile()
        if is_canary_ready(cluster.observed.owner.status):
            return _with_times(cluster)
    raise AssertionError("the canary did not get ready")


def promoted_undecided() -> Cluster:
    """After a canary that was promoted since time was up, with the whole rollout over."""
    cluster = trial(canary={"onInconclusive": "Promote", "maxDuration": "60s"})
    few = Traffic(ok=0.5)
    watch(cluster, few, few, looks=9)
    look_at(cluster, few, few)
    for _ in range(30):
        cluster.reconcile()
    return cluster


def _with_times(cluster: Cluster) -> Cluster:
    """Every pod got ready just now, as the API tells it."""
    now = Milestones(cluster.now, cluster.now, cluster.now, started=True, ready_changed=cluster.now)
    cluster.pods = [replace(pod, milestones=now) for pod in cluster.pods]
    cluster.store(cluster.observed.children)
    return cluster


def is_canary_ready(status: Manifest) -> bool:
    canary = status["rollout"].get("canary")
    return any(entry["hash"] == canary and entry["readyReplicas"] for entry in status.get("revisions", ()))


def watch(cluster: Cluster, canary: Tiers, stable: Tiers, looks: int = 1, seconds: float = 10) -> None:
    """So many looks at Prometheus, and what status says then; no pod is moved."""
    for _ in range(looks):
        cluster.now += timedelta(seconds=seconds)
        look_at(cluster, canary, stable)
        tell(cluster)


def tell(cluster: Cluster) -> None:
    """Reconcile, and carry out no more than the status."""
    plan = reconcile(cluster.observed, cluster.policy, cluster.now)
    cluster.carry_out(Plan(status=plan.status or cluster.observed.owner.status))
