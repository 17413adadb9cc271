"""Rollouts as metrics: where each one stands and what its canary is judged by, for graphs and alerts.

Bounded: only objects whose rollout is not at rest have series, MOST_OBJECTS of them at most, and a series goes with its
object or its rollout. It is asked from the thread that answers scrapes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from plimsoll_operator.observed import Manifest
from plimsoll_operator.plan import Event

MOST_OBJECTS = 1000
AT_REST = ("", "Idle")

OUTCOMES: Mapping[str, str] = {"RolloutStarted": "started", "Promoted": "promoted", "RolledBack": "rolled_back"}
"""Of the Events that tell of a rollout."""

Identity = tuple[str, str]
"""Namespace and name."""

_COMMON = ("inference_namespace", "inference_deployment")
"""As the servers' series have them. `namespace` would be that of the operator's pod wherever a scrape adds it."""


@dataclass(frozen=True)
class Standing:
    """Where one rollout stands; `evidence` and its `threshold` by signal, none without a canary that is judged."""

    phase: str
    roles: Mapping[str, str] = field(default_factory=dict)  # by revision
    weight: float = 0
    requests: float = 0
    evidence: tuple[tuple[str, float, float], ...] = ()


class RolloutMetrics(Collector):
    def __init__(self, registry: CollectorRegistry) -> None:
        self._standing: dict[Identity, Standing] = {}
        self._outcomes = Counter(
            "plimsoll_operator_rollouts_total",
            "Rollouts that were started, promoted and rolled back, by this process.",
            ["outcome"],
            registry=registry,
        )
        for outcome in OUTCOMES.values():
            self._outcomes.labels(outcome)
        registry.register(self)

    def told(self, identity: Identity, status: Manifest, events: Iterable[Event]) -> None:
        """What an object says of itself now, and what has just become of its rollout."""
        for event in events:
            if event.reason in OUTCOMES:
                self._outcomes.labels(OUTCOMES[event.reason]).inc()
        self.gone(identity)
        standing = standing_of(status)
        if standing.phase not in AT_REST and len(self._standing) < MOST_OBJECTS:
            self._standing[identity] = standing

    def gone(self, identity: Identity) -> None:
        self._standing.pop(identity, None)

    def there_are(self, identities: Collection[Identity]) -> None:
        """All objects that there are: what is not among them is gone, though nobody said so."""
        for identity in [known for known in self._standing if known not in identities]:
            self.gone(identity)

    def collect(self) -> Iterator[Metric]:
        phase = _gauge("phase", "1 for the phase of each rollout that is not at rest.", "phase")
        revision = _gauge("revision", "1 for the revision that is stable, and for the canary.", "revision", "role")
        weight = _gauge("weight_ratio", "Share of the requests that the canary gets, by its pods.")
        requests = _gauge("requests", "Requests of the canary that were compared so far.")
        evidence = _gauge("evidence", "Evidence against the canary; at the threshold it is taken back.", "signal")
        threshold = _gauge("threshold", "Evidence at which the canary is taken back.", "signal")
        for identity, standing in list(self._standing.items()):
            phase.add_metric([*identity, standing.phase], 1)
            for name, role in standing.roles.items():
                revision.add_metric([*identity, name, role], 1)
            weight.add_metric([*identity], standing.weight)
            if standing.evidence:
                requests.add_metric([*identity], standing.requests)
            for signal, value, limit in standing.evidence:
                evidence.add_metric([*identity, signal], value)
                threshold.add_metric([*identity, signal], limit)
        yield from (phase, revision, weight, requests, evidence, threshold)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"plimsoll_operator_rollout_{name}", text, labels=[*_COMMON, *labels])


def standing_of(status: Manifest) -> Standing:
    rollout = status.get("rollout", {})
    evidence = rollout.get("evidence", {})
    standing = Standing(
        phase=rollout.get("phase", ""),
        # Each revision once, or joins with the servers' series would find two.
        roles={rollout[role]: role for role in ("canary", "stable") if rollout.get(role)},
        weight=rollout.get("weightPercent", 0) / 100,
    )
    if not rollout.get("canary") or evidence.get("canary") != rollout["canary"]:
        return standing
    signals = tuple(
        (figures["name"], float(figures["evidence"]), float(figures["threshold"]))
        for figures in evidence.get("signals", ())
    )
    return replace(standing, requests=evidence.get("requests", 0), evidence=signals)
