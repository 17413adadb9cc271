"""Conditions as the Kubernetes API and kstatus read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Status = Literal["True", "False", "Unknown"]


@dataclass(frozen=True)
class Condition:
    """One condition; the time of its last transition is worked out against what is stored."""

    type: str
    status: Status
    reason: str
    message: str


def truth(value: object) -> Status:
    return "True" if value else "False"


def render_conditions(
    conditions: Iterable[Condition], stored: Iterable[Mapping[str, Any]], generation: int, now: datetime
) -> list[dict[str, Any]]:
    """Conditions for `status`. The transition time moves only when a condition's status does."""
    before = {condition["type"]: condition for condition in stored}
    return [_render(condition, before.get(condition.type, {}), generation, now) for condition in conditions]


def _render(condition: Condition, before: Mapping[str, Any], generation: int, now: datetime) -> dict[str, Any]:
    same = before.get("status") == condition.status
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if same else timestamp(now),
    }


def timestamp(moment: datetime) -> str:
    """RFC 3339 in seconds, as the Kubernetes API writes times."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str | None) -> datetime | None:
    """What `timestamp` or the Kubernetes API has written; None where nothing is."""
    return datetime.fromisoformat(text) if text else None
