"""Which changes are worth an Event? Few: what an SRE would want to be told, once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from plimsoll_operator.conditions import Condition
from plimsoll_operator.observed import Manifest, Owner
from plimsoll_operator.plan import Event
from plimsoll_operator.rollout_events import rollout_events

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
    "Surging",
    "Analysing",
    "NoTraffic",
    "Promoting",
    "RollingBack",
    # Told by the rollout's own Event, with the revision and the figures.
    "RolledBack",
}
NOT_TRIED_AGAIN = "NotTriedAgain"
"""No `RolledBack`, of which the operator's metrics count one for each rollout that was taken back."""


def announce(conditions: Iterable[Condition], owner: Owner, status: Manifest) -> tuple[Event, ...]:
    """Events for what differs from the owner's status; the new `status` is empty where none is worked out."""
    before = {condition["type"]: condition for condition in owner.status.get("conditions", ())}
    conditions = _without_echo(conditions)
    told = [
        Event(_TOLD[condition.type, condition.status], condition.reason, condition.message)
        for condition in conditions
        if (condition.type, condition.status) in _TOLD and _is_news(condition, before.get(condition.type))
    ]
    # One cause may show in several conditions; it is told once.
    events = {event.reason: event for event in reversed(told)}.values()
    return (*rollout_events(status, owner), *_not_tried_again(status, owner), *reversed(events))


def _not_tried_again(status: Manifest, owner: Owner) -> Iterator[Event]:
    """Of what was taken back before and is asked for anew. While it is asked for, its own Event has told all."""
    before, now = _asked_for(owner.status), _asked_for(status)
    known = {entry["hash"] for entry in owner.status.get("revisions", ()) if entry.get("rejected")}
    if now.get("hash") in known and now.get("rejected") and now["hash"] != before.get("hash"):
        because = now["rejected"]
        yield Event(
            "Warning",
            NOT_TRIED_AGAIN,
            f"revision {now['hash']} was taken back before, {because['reason']}: {because['message']}. "
            f"It is not tried again by itself: apply another change, or kubectl plimsoll retry {owner.called}",
        )


def _asked_for(status: Manifest) -> Manifest:
    nothing: Manifest = {}
    return next((entry for entry in status.get("revisions", ()) if entry.get("askedFor")), nothing)


def _without_echo(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Without a lack of pods that `Ready` tells already, sooner than `FullyScaled` does."""
    told = tuple(conditions)
    unready = {condition.reason for condition in told if (condition.type, condition.status) == ("Ready", "False")}
    return tuple(one for one in told if one.type != "FullyScaled" or one.reason not in unready)


def _is_news(condition: Condition, before: Mapping[str, Any] | None) -> bool:
    if condition.type == "Available":
        # What never served is not missed; why it does not serve is told by `Ready`.
        return before is not None and before["status"] == "True"
    if condition.type in ("Ready", "Stalled") and condition.reason in _AS_IT_SHOULD:
        return False
    return before is None or before["status"] != condition.status or before["reason"] != condition.reason
