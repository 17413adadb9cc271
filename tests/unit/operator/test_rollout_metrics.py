"""Rollouts as the operator's metrics: there while something goes on, gone with it, and never more than can be kept."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from measured import Traffic, trial, watch
from plimsoll_operator.plan import Event
from plimsoll_operator.rollout_metrics import MOST_OBJECTS, RolloutMetrics

DOMAINS = ("guardrails", "domains")
FIGURES = {"name": "errors", "evidence": "2.5", "threshold": "400"}
ALWAYS = {"plimsoll_operator_rollout_phase", "plimsoll_operator_rollout_weight_ratio"}
LABELS = {"inference_namespace": "guardrails", "inference_deployment": "domains"}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> RolloutMetrics:
    return RolloutMetrics(registry)


def series(registry: CollectorRegistry) -> set[str]:
    """Names of what is told of single objects."""
    return {
        sample.name
        for metric in registry.collect()
        for sample in metric.samples
        if "inference_namespace" in sample.labels
    }


def status(phase: str, **rollout: Any) -> dict[str, Any]:
    return {"rollout": {"phase": phase, **rollout}}


def test_a_canarys_evidence_is_told_by_signal(registry: CollectorRegistry, metrics: RolloutMetrics) -> None:
    cluster = trial()
    watch(cluster, Traffic(failed=0.2), Traffic(failed=0.2), looks=3)
    metrics.told(DOMAINS, cluster.observed.owner.status, ())
    told = cluster.observed.owner.status["rollout"]
    assert registry.get_sample_value("plimsoll_operator_rollout_phase", {**LABELS, "phase": told["phase"]}) == 1
    for role in ("stable", "canary"):
        labels = {**LABELS, "revision": told[role], "role": role}
        assert registry.get_sample_value("plimsoll_operator_rollout_revision", labels) == 1
    assert registry.get_sample_value("plimsoll_operator_rollout_weight_ratio", LABELS) == told["weightPercent"] / 100
    assert registry.get_sample_value("plimsoll_operator_rollout_requests", LABELS) == told["evidence"]["requests"]
    for figures in told["evidence"]["signals"]:
        labels = {**LABELS, "signal": figures["name"]}
        assert registry.get_sample_value("plimsoll_operator_rollout_threshold", labels) == float(figures["threshold"])
        assert registry.get_sample_value("plimsoll_operator_rollout_evidence", labels) == float(figures["evidence"])


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(status("Idle"), set(), id="at rest"),
        pytest.param({}, set(), id="nothing is known"),
        pytest.param(status("RolledBack"), ALWAYS, id="rolled back"),
        pytest.param(
            status("Surging", canary="newer", evidence={"canary": "new", "signals": [FIGURES]}),
            ALWAYS | {"plimsoll_operator_rollout_revision"},
            id="evidence of another canary",
        ),
    ],
)
def test_what_is_over_is_told_no_more(
    registry: CollectorRegistry, metrics: RolloutMetrics, now: dict[str, Any], expected: set[str]
) -> None:
    metrics.told(DOMAINS, status("Analysing", canary="new", evidence={"canary": "new", "signals": [FIGURES]}), ())
    assert len(series(registry)) == 6
    metrics.told(DOMAINS, now, ())
    assert series(registry) == expected


def test_an_object_that_is_gone_is_told_no_more(registry: CollectorRegistry, metrics: RolloutMetrics) -> None:
    metrics.told(DOMAINS, status("RolledBack"), ())
    metrics.gone(DOMAINS)
    assert series(registry) == set()
    metrics.told(DOMAINS, status("RolledBack"), ())
    metrics.there_are({("guardrails", "another")})
    assert series(registry) == set()


def test_outcomes_are_counted_by_what_is_announced(registry: CollectorRegistry, metrics: RolloutMetrics) -> None:
    metrics.told(DOMAINS, {}, [Event("Warning", "RolledBack", "too slow"), Event("Warning", "Stalled", "so it stands")])
    outcomes = {
        outcome: registry.get_sample_value("plimsoll_operator_rollouts_total", {"outcome": outcome})
        for outcome in ("started", "promoted", "rolled_back")
    }
    assert outcomes == {"started": 0, "promoted": 0, "rolled_back": 1}


def test_a_fleet_that_is_all_in_rollouts_is_told_in_part(registry: CollectorRegistry, metrics: RolloutMetrics) -> None:
    for number in range(MOST_OBJECTS + 10):
        metrics.told(("guardrails", str(number)), status("RolledBack"), ())
    metrics.told(("guardrails", "3"), status("Surging"), ())
    samples = [sample for metric in registry.collect() for sample in metric.samples if "phase" in sample.labels]
    assert len(samples) == MOST_OBJECTS
    assert {**LABELS, "inference_deployment": "3", "phase": "Surging"} in [sample.labels for sample in samples]
