"""Which changes are worth an Event: each cause once, and nothing of what goes as it should."""

from __future__ import annotations

from typing import Any

import pytest

from plimsoll_operator.announcements import announce
from plimsoll_operator.conditions import Condition, Status

CRASHING = {"Available": ("False", "CrashLoop"), "Ready": ("False", "CrashLoop"), "Stalled": ("False", "NotStalled")}
SERVING = {"Available": ("True", "Serving"), "Ready": ("True", "Serving"), "OutOfMemory": ("False", "NoneKilled")}
STARTING = {"Available": ("False", "NoPodReady"), "Ready": ("False", "Starting")}
BLOCKED = {
    "Available": ("False", "ClaimNotFound"),
    "Ready": ("False", "ClaimNotFound"),
    "Stalled": ("True", "ClaimNotFound"),
}
KILLED: dict[str, tuple[Status, str]] = {
    "Available": ("False", "OOMKilled"),
    "Ready": ("False", "OOMKilled"),
    "OutOfMemory": ("True", "OOMKilled"),
}
LATE = {**CRASHING, "Ready": ("False", "ProgressDeadlineExceeded"), "Stalled": ("True", "ProgressDeadlineExceeded")}


def told(before: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, str]]:
    stored = [{"type": kind, "status": status, "reason": reason} for kind, (status, reason) in before.items()]
    conditions = [Condition(kind, status, reason, "why") for kind, (status, reason) in now.items()]
    return [(event.type, event.reason) for event in announce(conditions, {"conditions": stored}, {})]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param({}, STARTING, [], id="a new object starts"),
        pytest.param({}, BLOCKED, [("Warning", "ClaimNotFound")], id="a new object cannot start: once for three"),
        pytest.param(BLOCKED, BLOCKED, [], id="nothing new"),
        pytest.param(BLOCKED, STARTING, [], id="no longer in the way: that nothing is ready yet is no news"),
        pytest.param(STARTING, CRASHING, [("Warning", "CrashLoop")], id="it crashes"),
        pytest.param(CRASHING, LATE, [("Warning", "ProgressDeadlineExceeded")], id="it is given up"),
        pytest.param(STARTING, SERVING, [("Normal", "Serving")], id="it serves"),
        pytest.param(SERVING, STARTING, [("Warning", "NoPodReady")], id="nothing serves any more"),
        pytest.param(SERVING, KILLED, [("Warning", "OOMKilled")], id="killed for memory: once for three"),
        pytest.param(
            {"Available": ("True", "Serving"), "Ready": ("False", "Replacing")},
            {"Available": ("True", "Serving"), "Ready": ("False", "CrashLoop")},
            [("Warning", "CrashLoop")],
            id="a new revision crashes beside the one that serves",
        ),
        pytest.param(
            SERVING,
            {**SERVING, "OutOfMemory": ("True", "OOMKilled")},
            [("Warning", "OOMKilled")],
            id="one of several was killed, and serves again",
        ),
    ],
)
def test_each_cause_is_told_once(before: dict[str, Any], now: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert told(before, now) == expected
