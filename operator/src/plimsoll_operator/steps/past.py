"""What status has kept is past, also by a clock that was set back: a moment to come is taken for now, and kept so."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from plimsoll_operator.conditions import timestamp
from plimsoll_operator.observed import Manifest

_OF_THE_ROLLOUT = ("startedAt", "placedSince", "decidedAt", "finishedAt")
"""Not those of which `looks` tells how much of their time is over: they go on from there."""


def past(status: Manifest, now: datetime) -> Manifest:
    """`status` as it may be believed: nobody who waits for a window after such a moment waits for longer than that."""
    believed: dict[str, Any] = {**status}
    if rollout := status.get("rollout"):
        moments = {name: _past(rollout[name], now) for name in _OF_THE_ROLLOUT if rollout.get(name)}
        believed["rollout"] = {**rollout, **moments, **_evidence(rollout, now)}
    if conditions := status.get("conditions"):
        believed["conditions"] = [
            {**one, "lastTransitionTime": _past(one["lastTransitionTime"], now)} for one in conditions
        ]
    return believed


def _evidence(rollout: Manifest, now: datetime) -> dict[str, Any]:
    """Evidence that begins later than a trial is taken for that trial's. Once measured, `until` is Prometheus' time."""
    evidence = rollout.get("evidence", {})
    began = evidence.get("since")
    if not began:
        return {}
    since = _past(began, now)
    begun = {"until": since} if evidence.get("until") == began else {}
    return {"evidence": {**evidence, "since": since, **begun}}


def _past(moment: str, now: datetime) -> str:
    return timestamp(now) if datetime.fromisoformat(moment) > now else moment
