"""The operator's own metrics, in a registry of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from plimsoll_operator.census import Census
from plimsoll_operator.listener import Answer
from plimsoll_operator.rollout_metrics import RolloutMetrics
from plimsoll_operator.workqueue import Backlog

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Telemetry:
    """What an SRE asks of the operator: does it keep up, how long does it take, what fails, what does it write?"""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._registry = registry
        self.rollouts = RolloutMetrics(registry)
        self._duration = Histogram(
            "plimsoll_operator_reconcile_duration_seconds",
            "Time from the first read of one reconcile to its last write, failed ones included.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._errors = Counter(
            "plimsoll_operator_reconcile_errors_total",
            "Reconciles, and lists of what to reconcile, that failed and are tried again, by reason.",
            ["reason"],
            registry=registry,
        )
        self._writes = Counter(
            "plimsoll_operator_writes_total",
            "Writes that the apiserver accepted. At rest none is made but the Lease's.",
            ["kind", "verb"],
            registry=registry,
        )
        self._objects = Gauge(
            "plimsoll_operator_objects",
            "InferenceDeployments by state (Ready, Reconciling, Stalled, Held, Unknown) and the reason of it.",
            ["state", "reason"],
            registry=registry,
        )
        self._short_for_memory = Gauge(
            "plimsoll_operator_objects_short_for_memory",
            "InferenceDeployments that have too few ready pods of what serves, since the kernel kills them for memory.",
            registry=registry,
        )
        self._serving_nothing = Gauge(
            "plimsoll_operator_objects_serving_nothing",
            "InferenceDeployments of which no pod is ready, though a revision of theirs has served.",
            registry=registry,
        )
        self._prometheus_errors = Counter(
            "plimsoll_operator_prometheus_errors_total",
            "Looks at Prometheus for a canary's measurements that brought none, by reason.",
            ["reason"],
            registry=registry,
        )
        self._lease_errors = Counter(
            "plimsoll_operator_lease_errors_total",
            "Reads and renewals of the Lease that failed and are tried again, by reason.",
            ["reason"],
            registry=registry,
        )
        self._lease_transitions = Gauge(
            "plimsoll_operator_lease_transitions",
            "How often the Lease went from one holder to another, as last seen by its holder.",
            registry=registry,
        )

    def watch_queue(self, backlog: Callable[[], Backlog]) -> None:
        """Report a queue's backlog, asked for at each scrape."""
        depth = Gauge("plimsoll_operator_queue_depth", "Objects that wait for a worker.", registry=self._registry)
        age = Gauge(
            "plimsoll_operator_queue_age_seconds", "Longest wait of an object for a worker.", registry=self._registry
        )
        depth.set_function(lambda: backlog().depth)
        age.set_function(lambda: backlog().oldest)

    def watch_lease(self, leading: Callable[[], bool], age: Callable[[], float]) -> None:
        """Report who leads, asked for at each scrape; `age` is the time since the Lease was renewed, in seconds."""
        leads = Gauge(
            "plimsoll_operator_leading",
            "Whether this process holds the Lease and may write.",
            registry=self._registry,
        )
        renewed = Gauge(
            "plimsoll_operator_lease_age_seconds",
            "Time since this process renewed the Lease; +Inf where it never did. Writes end at 10.",
            registry=self._registry,
        )
        leads.set_function(leading)
        renewed.set_function(age)

    def lease_failed(self, reason: str) -> None:
        self._lease_errors.labels(reason).inc()

    def prometheus_failed(self, reason: str) -> None:
        self._prometheus_errors.labels(reason).inc()

    def changed_hands(self, transitions: int) -> None:
        self._lease_transitions.set(transitions)

    @contextmanager
    def timed_reconcile(self) -> Iterator[None]:
        with self._duration.time():
            yield

    def failed(self, reason: str) -> None:
        self._errors.labels(reason).inc()

    def wrote(self, kind: str, verb: str) -> None:
        self._writes.labels(kind, verb).inc()

    def counted(self, census: Census) -> None:
        """Replace the numbers of objects."""
        self._short_for_memory.set(census.short_for_memory)
        self._serving_nothing.set(census.serving_nothing)
        self._objects.clear()
        for (state, reason), count in census.by_state.items():
            self._objects.labels(state, reason).set(count)

    def page(self) -> Answer:
        """The answer to a scrape."""
        return Answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._registry))
