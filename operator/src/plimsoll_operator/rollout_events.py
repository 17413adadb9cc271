"""The Events of a rollout: that it began, was promoted, taken back or paused. Each once, at the moment it happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from plimsoll_operator.observed import Manifest
from plimsoll_operator.plan import Event
from plimsoll_operator.rollout.situation import ONE_AT_A_TIME

Rollout = Mapping[str, Any]

_UNPROVEN = ("Surging", "Analysing", "Inconclusive")
_TAKEN_BACK = ("RollingBack", "RolledBack")


def rollout_events(status: Manifest, stored: Manifest) -> Iterator[Event]:
    """Events for what differs between the stored status and the new one."""
    now, before = status.get("rollout", {}), stored.get("rollout", {})
    if _has_started(now, before):
        yield Event("Normal", "RolloutStarted", f"rolling out revision {now['canary']}")
    if now.get("reason") == ONE_AT_A_TIME != before.get("reason"):
        yield Event("Normal", ONE_AT_A_TIME, now["message"])
    if _enters(now, before, "Promoting"):
        yield Event("Normal", "Promoted", _promotion(now))
    if _enters(now, before, *_TAKEN_BACK):
        yield Event("Warning", "RolledBack", _rejection(status, before))
    if _enters(now, before, "Paused") and before.get("phase") in _UNPROVEN:
        yield Event("Normal", "CanaryPaused", now["message"])


def _has_started(now: Rollout, before: Rollout) -> bool:
    """A rollout that is held has not started yet; one that goes on after a pause starts again."""
    started = now.get("startedAt")
    return bool(now.get("canary") and started and started != before.get("startedAt"))


def _enters(now: Rollout, before: Rollout, *phases: str) -> bool:
    return now.get("phase") in phases and before.get("phase") not in phases


def _promotion(now: Rollout) -> str:
    """Which revision, and what the comparison said of it, where that is what promoted it."""
    evidence = now.get("evidence", {})
    said = f": {evidence['message']}" if evidence.get("decision") == "Promote" else ""
    return f"revision {now['stable']} is promoted{said}"


def _rejection(status: Manifest, before: Rollout) -> str:
    """Why the canary was taken back, as the history keeps it, and what to do."""
    rejected = [entry for entry in status.get("revisions", ()) if entry.get("rejected")]
    canary = next((entry for entry in rejected if entry["hash"] == before.get("canary")), next(iter(rejected), None))
    if canary is None:
        return str(status["rollout"]["message"])
    why = canary["rejected"]
    return (
        f"revision {canary['hash']} was taken back, {why['reason']}: {why['message']}. Apply another change, or "
        "kubectl plimsoll retry; kubectl plimsoll explain has the figures"
    )
