"""The operator's own metrics, in a registry of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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

from plimsoll_operator.listener import Answer
from plimsoll_operator.workqueue import Backlog

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Telemetry:
    """What an SRE asks of the operator: does it keep up, how long does it take, what fails, what does it write?"""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._registry = registry
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
            "Writes that the apiserver accepted. At rest none is made.",
            ["kind", "verb"],
            registry=registry,
        )
        self._objects = Gauge(
            "plimsoll_operator_objects",
            "InferenceDeployments by the status of their Ready condition.",
            ["ready"],
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

    @contextmanager
    def timed_reconcile(self) -> Iterator[None]:
        with self._duration.time():
            yield

    def failed(self, reason: str) -> None:
        self._errors.labels(reason).inc()

    def wrote(self, kind: str, verb: str) -> None:
        self._writes.labels(kind, verb).inc()

    def counted(self, by_ready: Mapping[str, int]) -> None:
        """Replace the number of objects by the status of their Ready condition."""
        self._objects.clear()
        for ready, count in by_ready.items():
            self._objects.labels(ready).set(count)

    def page(self) -> Answer:
        """The answer to a scrape."""
        return Answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._registry))
