"""The server's metrics: one registry, and on every series the labels that tell replicas and revisions apart."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from plimsoll_server.device_metrics import DeviceMetrics
from plimsoll_server.expert_metrics import ExpertMetrics
from plimsoll_server.types import NO_TIER, BatchReport

Metric = TypeVar("Metric", Counter, Histogram)

_COMMON = ("inference_namespace", "inference_deployment", "revision", "replica")
_BUCKETS = (
    *(0.001, 0.0015, 0.0025, 0.004, 0.006),
    *(0.01, 0.015, 0.025, 0.04, 0.06),
    *(0.1, 0.15, 0.25, 0.4, 0.6),
    *(1, 1.5, 2.5, 4, 6),
    *(10, 15, 25, 40, 60),
)
"""Seconds. Each is less than twice the one before it, so that a doubled latency always moves requests to another."""

OUTCOMES = ("ok", "remembered", "rejected", "limited", "too_long", "invalid", "oom", "error", "cancelled")
SERVERS_FAULTS = ("rejected", "oom", "error")
"""The outcomes that a caller has not brought about and cannot help."""
SOURCES = ("memory", "redis", "flight", "model")
"""Where an answer comes from: what is remembered here, or by another pod; another request's work; work of its own."""
_SIZES = tuple(2**power for power in range(8, 21))
"""Bytes, ascending: a class reaches from above the one before it up to this. Requests within one are alike."""


def size_class(size: int) -> str:
    """Value of the label `size`: up to how many bytes the class reaches."""
    place = bisect_left(_SIZES, size)
    return str(_SIZES[place]) if place < len(_SIZES) else "+Inf"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which replica of what this is, as the pod was told."""

    namespace: str
    deployment: str
    revision: str
    replica: str


class Telemetry:
    def __init__(self, identity: Identity, tiers: Sequence[str]) -> None:
        # A second series per counter, that nothing here reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._known: dict[tuple[Counter | Histogram, tuple[str, ...]], Counter | Histogram] = {}
        self._labels = (identity.namespace, identity.deployment, identity.revision, identity.replica)
        self._requests = self._counter("plimsoll_requests", "Requests by how they ended", "tier", "outcome")
        self._duration = self._histogram(
            "plimsoll_request_duration_seconds",
            "Time from the end of a request's body to its answer, of those that were answered and waited for the model",
            "tier",
        )
        # Of the body, and not its tokens: two revisions are sent the same bodies, and may read them into other tokens.
        self._duration_by_size = self._histogram(
            "plimsoll_request_duration_by_size_seconds",
            "The same by the size of the request's body in bytes",
            "tier",
            "size",
        )
        # Apart: how many answers a pod remembers depends on its age, and says nothing of how fast its revision is.
        self._remembered = self._histogram(
            "plimsoll_remembered_request_duration_seconds",
            "Time from the end of a request's body to its answer, of those whose every answer was remembered",
            "tier",
        )
        self._out_of_memory = self._counter("plimsoll_oom", "Batches in which memory ran out", "tier")
        self._batches = self._counter("plimsoll_batches", "Batches that ran", "tier")
        self._incidents = self._counter(
            "plimsoll_incidents",
            "Failures that the callers did not cause, a batch counting once however many requests failed with it",
            "tier",
        )
        self._saturation = self._gauge(
            "plimsoll_saturation_ratio",
            "Mean over 30 s of (running + queued) / safe concurrency, of the fullest tier; 1 is the load line",
        )
        self._load_line = self._gauge("plimsoll_load_line_concurrency", "Sequences that may run at once", "tier")
        self._line_tokens = self._gauge("plimsoll_load_line_tokens", "Tokens that may run at once", "tier")
        self._line_factor = self._gauge(
            "plimsoll_load_line_factor", "Of what was measured, what is trusted: below 1 after a shortage of memory"
        )
        self._bytes_per_token = self._gauge("plimsoll_bytes_per_token", "Memory that a token of a batch takes")
        self._queue_tokens = self._gauge("plimsoll_queue_tokens", "Tokens waiting in the queue", "tier")
        self._answers = self._counter("plimsoll_answers", "Answers to single inputs by where they came from", "source")
        self._cache_faults = self._counter("plimsoll_cache_faults", "Times that the cache in Redis did not answer")
        self._cache_bytes = self._gauge("plimsoll_cache_bytes", "Memory that remembered answers take")
        self._circuit_open = self._gauge("plimsoll_circuit_open", "1 while requests are refused since the model failed")
        self._memory = self._gauge("plimsoll_device_memory_bytes", "Memory of the device, or process on a CPU", "kind")
        self._rate_limit_faults = self._counter(
            "plimsoll_rate_limit_faults", "Times that the Redis which counts callers' requests did not answer"
        )
        self._certificate_expiry = self._gauge(
            "plimsoll_tls_certificate_expiry_timestamp_seconds", "When the certificate that is shown to callers expires"
        )
        self._jobs = self._gauge("plimsoll_jobs", "Jobs of the deployment that are kept, by their state", "state")
        self.devices = DeviceMetrics(self.registry, _COMMON, self._labels)
        self._experts = ExpertMetrics(self.registry, _COMMON, self._labels)
        self._start_from_zero(tiers)

    def request_done(
        self, tier: str | None, outcome: str, seconds: float, *, size: int = 0, of_batch: bool = False
    ) -> None:
        """`size`: bytes of its body. `of_batch`: it failed together with its batch, which `batch_done` has counted."""
        tier = tier or NO_TIER
        self._series(self._requests, tier, outcome).inc()
        if outcome == "ok":
            self._series(self._duration, tier).observe(seconds)
            self._series(self._duration_by_size, tier, size_class(size)).observe(seconds)
        if outcome == "remembered":
            self._series(self._remembered, tier).observe(seconds)
        if outcome in SERVERS_FAULTS and not of_batch:
            self._series(self._incidents, tier).inc()

    def batch_done(self, tier: str, report: BatchReport) -> None:
        """A shortage of memory on the way counts whether or not the batch was saved."""
        self._series(self._batches, tier).inc()
        if report.failed:
            self._series(self._incidents, tier).inc()
        if report.out_of_memory:
            self._series(self._out_of_memory, tier).inc()
        if report.experts is not None:
            self._experts.used(report.experts)

    def answers_came(self, source: str, count: int) -> None:
        """`source`: one of SOURCES."""
        self._series(self._answers, source).inc(count)

    def cache_failed(self) -> None:
        self._cache_faults.labels(*self._labels).inc()

    def rate_limit_failed(self) -> None:
        self._rate_limit_faults.labels(*self._labels).inc()

    def set_cache(self, size: int) -> None:
        self._cache_bytes.labels(*self._labels).set(size)

    def set_circuit(self, *, is_open: bool) -> None:
        self._circuit_open.labels(*self._labels).set(is_open)

    def set_load_line(self, tier: str, concurrency: int, tokens: int) -> None:
        self._load_line.labels(*self._labels, tier).set(concurrency)
        self._line_tokens.labels(*self._labels, tier).set(tokens)

    def set_measured(self, bytes_per_token: int | None, factor: float) -> None:
        """A server that could not measure has no series of bytes per token."""
        self._line_factor.labels(*self._labels).set(factor)
        if bytes_per_token is not None:
            self._bytes_per_token.labels(*self._labels).set(bytes_per_token)

    def set_load(self, saturation: float, queued_tokens: Mapping[str, int]) -> None:
        self._saturation.labels(*self._labels).set(saturation)
        for tier, tokens in queued_tokens.items():
            self._queue_tokens.labels(*self._labels, tier).set(tokens)

    def set_memory(self, used: int, limit: int | None, unused: int | None = None, planned: int | None = None) -> None:
        for kind, size in (("used", used), ("limit", limit), ("unused", unused), ("planned", planned)):
            if size is not None:
                self._memory.labels(*self._labels, kind).set(size)

    def set_jobs(self, counts: Mapping[str, int]) -> None:
        """By state. Empty where nobody knows: then there is no such series."""
        self._jobs.clear()
        for state, count in counts.items():
            self._jobs.labels(*self._labels, state).set(count)

    def set_certificate_expiry(self, moment: float) -> None:
        """Unix seconds. A server without a certificate has no such series."""
        self._certificate_expiry.labels(*self._labels).set(moment)

    def _series(self, metric: Metric, *labels: str) -> Metric:
        """Remembered: to look it up among the metric's own takes as long as all else that counts a request."""
        series = self._known.get((metric, labels))
        if series is None:
            series = self._known[(metric, labels)] = metric.labels(*self._labels, *labels)
        return cast("Metric", series)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, (*_COMMON, *labels), registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, (*_COMMON, *labels), buckets=_BUCKETS, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, (*_COMMON, *labels), registry=self.registry)

    def _start_from_zero(self, tiers: Sequence[str]) -> None:
        """A counter that appears with its first event hides that event from rate()."""
        for tier in (*tiers, NO_TIER):
            for outcome in OUTCOMES:
                self._requests.labels(*self._labels, tier, outcome)
            self._incidents.labels(*self._labels, tier)
        for tier in tiers:
            self._duration.labels(*self._labels, tier)
            self._remembered.labels(*self._labels, tier)
            self._out_of_memory.labels(*self._labels, tier)
            self._batches.labels(*self._labels, tier)
            self._queue_tokens.labels(*self._labels, tier)
        for source in SOURCES:
            self._answers.labels(*self._labels, source)
        for single in (
            self._saturation,
            self._cache_faults,
            self._cache_bytes,
            self._circuit_open,
            self._rate_limit_faults,
        ):
            single.labels(*self._labels)
