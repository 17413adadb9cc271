"""Which changes are worth an Event? Few: what an SRE would want to be told, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from plimsoll_operator.conditions import Condition
from plimsoll_operator.observed import Manifest
from plimsoll_operator.plan import Event
from plimsoll_operator.rollout.situation import ONE_AT_A_TIME

# Condition and status that are told, and how. `Ready` becoming true is the good news; the others are not.
_TOLD: Mapping[tuple[str, str], Any] = {
    ("Ready", "True"): "Normal",
    ("Stalled", "True"): "Warning",
    ("Available", "False"): "Warning",
    ("Ready", "False"): "Warning",
    ("FullyScaled", "False"): "Warning",
    ("WithinLoadLine", "False"): "Warning",
    ("OutOfMemory", "True"): "Warning",
}
# Why an object is not ready while all goes as it should: nobody needs to be told.
_AS_IT_SHOULD = {
    "Starting",
    "Replacing",
    "ReplacingOneAtATime",
    "StoppingOld",
    "Complete",
    "Paused",
    "Frozen",
    "TooFewReady",
}


def announce(conditions: Iterable[Condition], stored: Manifest, rollout: Mapping[str, Any]) -> tuple[Event, ...]:
    """Events for what differs between the stored status and the new one."""
    before = {condition["type"]: condition for condition in stored.get("conditions", ())}
    conditions = _without_echo(conditions)
    told = [
        Event(_TOLD[condition.type, condition.status], condition.reason, condition.message)
        for condition in conditions
        if (condition.type, condition.status) in _TOLD and _is_news(condition, before.get(condition.type))
    ]
    # One cause may show in several conditions; it is told once.
    events = list({event.reason: event for event in reversed(told)}.values())[::-1]
    if _has_started(rollout, stored.get("rollout", {})):
        events.insert(0, Event("Normal", "RolloutStarted", f"rolling out revision {rollout['canary']}"))
    if rollout.get("reason") == ONE_AT_A_TIME != stored.get("rollout", {}).get("reason"):
        events.append(Event("Normal", ONE_AT_A_TIME, rollout["message"]))
    return tuple(events)


def _without_echo(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Without a lack of pods that `Ready` tells already, sooner than `FullyScaled` does."""
    told = tuple(conditions)
    unready = {condition.reason for condition in told if (condition.type, condition.status) == ("Ready", "False")}
    return tuple(one for one in told if one.type != "FullyScaled" or one.reason not in unready)


def _has_started(rollout: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """A rollout that is held has not started yet; one that goes on after a pause starts again."""
    started = rollout.get("startedAt")
    return bool(rollout.get("canary") and started and started != before.get("startedAt"))


def _is_news(condition: Condition, before: Mapping[str, Any] | None) -> bool:
    if condition.type == "Available":
        # What never served is not missed; why it does not serve is told by `Ready`.
        return before is not None and before["status"] == "True"
    if (condition.type, condition.status) == ("Ready", "False") and condition.reason in _AS_IT_SHOULD:
        return False
    return before is None or before["status"] != condition.status or before["reason"] != condition.reason
