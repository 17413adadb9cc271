"""The Events of a rollout: that it began, was promoted, taken back or paused. Each once, at the moment it happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from plimsoll_operator.observed import Manifest, Owner
from plimsoll_operator.plan import Event
from plimsoll_operator.rollout.situation import ONE_AT_A_TIME

Rollout = Mapping[str, Any]

_UNPROVEN = ("Surging", "Analysing", "Inconclusive")


def rollout_events(status: Manifest, owner: Owner) -> Iterator[Event]:
    """Events for what differs between the owner's status and the new one."""
    now, before = status.get("rollout", {}), owner.status.get("rollout", {})
    if _has_started(now, before):
        yield Event("Normal", "RolloutStarted", f"rolling out revision {now['canary']}")
    if now.get("reason") == ONE_AT_A_TIME != before.get("reason"):
        yield Event("Normal", ONE_AT_A_TIME, now["message"])
    if now.get("phase") == "Promoting" != before.get("phase"):
        yield Event("Normal", "Promoted", now["message"])
    for revision in _newly_rejected(status, owner.status):
        yield Event("Warning", "RolledBack", _rejection(revision, now, owner.called))
    if now.get("phase") == "Paused" and before.get("phase") in _UNPROVEN:
        yield Event("Normal", "CanaryPaused", now["message"])


def _has_started(now: Rollout, before: Rollout) -> bool:
    """A rollout that is held has not started yet; one that goes on after a pause starts again. One back is told so."""
    started = now.get("startedAt")
    begun = bool(now.get("canary") and started and started != before.get("startedAt"))
    return begun and now.get("phase") != "RollingBack"


def _newly_rejected(status: Manifest, stored: Manifest) -> Iterator[Manifest]:
    """Revisions that were on their way or served until now. A status that was lost makes no news of old ones."""
    known = {entry["hash"]: bool(entry.get("rejected")) for entry in stored.get("revisions", ())}
    for entry in status.get("revisions", ()):
        if entry.get("rejected") and known.get(entry["hash"]) is False:
            yield entry


def _rejection(revision: Manifest, now: Rollout, called: str) -> str:
    because = revision["rejected"]
    told = f"revision {revision['hash']} was taken back, {because['reason']}: {because['message']}."
    # A restart that was given up leaves nothing to do: the spec asks for what serves.
    if not revision["askedFor"]:
        return f"{told} kubectl plimsoll explain {called} has the figures"
    other = (
        f"kubectl plimsoll abort {called} leaves the restart at that" if now.get("restart") else "Apply another change"
    )
    return f"{told} {other}, or kubectl plimsoll retry {called}; kubectl plimsoll explain {called} has the figures"
