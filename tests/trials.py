"""Objects as the operator stores them in each phase of a canary: what `explain` and `status` are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

SINCE = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)
CANARY, STABLE = "9f5c77b2d1", "5d1e0c44aa"
EVERY = timedelta(seconds=10)


def at(seconds: float) -> str:
    return (SINCE + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_signal(name: str, evidence: str = "0.4", **fields: Any) -> dict[str, Any]:
    """A signal that is well below its threshold, and not yet below what is allowed."""
    return {
        "name": name,
        "evidence": evidence,
        "threshold": "400",
        "canaryRate": "0",
        "stableRate": "0.001",
        "upperBound": "0.013",
        "allowed": "0.011",
        "canaryExposures": "412",
        "canaryBad": "0",
        "stableExposures": "4120",
        "stableBad": "4",
        **fields,
    }


def make_oom() -> dict[str, Any]:
    """Not one batch of either revision ran out of memory; four requests were answered in one."""
    batches = {"part": "batches", "canaryExposures": "103", "stableExposures": "1030"}
    return make_signal("oom", "0.9", **batches, stableRate="0", stableBad="0", upperBound="0.008")


def make_points(*evidence: float, signal: str = "errors", step_at: int = 1000) -> list[dict[str, Any]]:
    """A point for each figure, every ten seconds; the second step begins at point `step_at`."""
    return [
        {
            "at": at(10 * (n + 1)),
            "step": 1 if n < step_at else 2,
            "weightPercent": 10 if n < step_at else 29,
            "requests": 50 * (n + 1),
            "evidence": {signal: f"{value}", "latency" if signal != "latency" else "errors": "0.7"},
        }
        for n, value in enumerate(evidence)
    ]


def make_evidence(**fields: Any) -> dict[str, Any]:
    return {
        "canary": CANARY,
        "stable": STABLE,
        "since": at(0),
        "until": at(90),
        "requests": 412,
        "data": "Measured",
        "decision": "Undecided",
        "reason": "GatheringEvidence",
        "message": "errors may still be up to 1.3 % on the canary, and must be below 1.1 %: 412 canary requests so far",
        "signals": [make_oom(), make_signal("errors"), make_signal("latency", part="0.25", upperBound="0.004")],
        **fields,
    }


def make_object(phase: str, status: dict[str, Any] | None = None, **rollout: Any) -> dict[str, Any]:
    """An InferenceDeployment whose rollout is in `phase`."""
    told = {"phase": phase, "stable": STABLE, "canary": CANARY, "reason": phase, "message": f"as {phase} says"}
    return {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "InferenceDeployment",
        "metadata": {"name": "domains", "namespace": "guardrails", "generation": 2},
        "spec": {
            "model": {"uri": "pvc://models/domains"},
            "gpu": {"profile": "nvidia-l4"},
            "tiers": [{"name": "short", "maxTokens": 512, "concurrency": 8}],
        },
        "status": {"observedGeneration": 2, "rollout": {**told, **rollout}, **(status or {})},
    }


def make_rejection(reason: str, message: str = "so it is", **fields: Any) -> dict[str, Any]:
    """The history, in which the canary was taken back; the spec asks for it still."""
    because = {"reason": reason, "message": message}
    return {"revisions": [{"hash": CANARY, "askedFor": True, "rejected": because, **fields}]}


def analysing() -> dict[str, Any]:
    points = make_points(1.1, 0.9, 0.6, 0.5, 0.4, 0.4, 0.35, 0.3, 0.25, step_at=5)
    return make_object("Analysing", evidence=make_evidence(), history=points, step=2, steps=3, weightPercent=29)


def rolled_back() -> dict[str, Any]:
    rising = (1.0, 0.8, 1.4, 2.9, 6.1, 3.8, 9.7, 41, 160, 530)
    message = "1.9 % of 500 requests failed, and 0.1 % of those of the stable revision"
    errors = make_signal("errors", "530", canaryRate="0.019", canaryBad="10", canaryExposures="500", upperBound="0.04")
    evidence = make_evidence(
        decision="Rollback",
        reason="MoreErrors",
        signal="errors",
        message=message,
        until=at(100),
        requests=500,
        signals=[make_oom(), errors, make_signal("latency", "0.7", part="0.25", upperBound="0.004")],
    )
    told = f"rolled back to {STABLE}: {message}"
    return make_object(
        "RolledBack",
        make_rejection("MoreErrors", message),
        canary="",
        evidence=evidence,
        history=make_points(*rising),
        message=told,
        reason="RolledBack",
    )
