"""Which changes are worth an Event: each cause once, and nothing of what goes as it should."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import make_owner
from canaries import Trials, changed, later, look, rejection_of, served
from plimsoll_operator.announcements import announce
from plimsoll_operator.conditions import Condition, Status
from plimsoll_operator.plan import Event

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
    return [(event.type, event.reason) for event in announce(conditions, make_owner(status={"conditions": stored}), {})]


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


def events_until_at_rest(trials: Trials) -> list[Event]:
    """What is told on the way to rest, and at looks of a day after."""
    told: list[Event] = []
    for _ in range(60):
        told += trials.reconcile().events
        trials.now += timedelta(minutes=1)
    for _ in range(24):
        later(trials, timedelta(hours=1))
        told += trials.reconcile().events
    return told


@pytest.fixture
def taken_back() -> Trials:
    """Version 2 was taken back, and version 3 promoted since."""
    trials = changed(served(3), 2)
    trials.until_phase("Analysing")
    trials.decision = "Rollback"
    trials.until_phase("RolledBack")
    trials.decision = "Promote"
    changed(trials, 3).until_phase("Promoting")
    trials.until_phase("Idle")
    return trials


def test_what_was_taken_back_and_is_applied_again_is_told_once_each_time(taken_back: Trials) -> None:
    rejected = rejection_of(taken_back.observed, 2)
    assert rejected
    for _ in range(2):
        [event] = events_until_at_rest(changed(taken_back, 2))
        assert (event.type, event.reason) == ("Warning", "NotTriedAgain")
        [revision] = [found["hash"] for found in taken_back.observed.owner.status["revisions"] if found["askedFor"]]
        assert event.message.startswith(f"revision {revision} was taken back before")
        assert f"{rejected.reason}: {rejected.message}" in event.message
        assert "kubectl plimsoll retry domains -n guardrails" in event.message
        assert "NotTriedAgain" not in {event.reason for event in events_until_at_rest(changed(taken_back, 3))}


def test_what_a_canary_is_superseded_by_is_told_though_the_canary_still_ends(taken_back: Trials) -> None:
    taken_back.decision = "Undecided"
    changed(taken_back, 4).until_phase("Analysing")
    changed(taken_back, 2)
    assert [event.reason for event in events_until_at_rest(taken_back)] == ["NotTriedAgain"]


def test_what_is_taken_back_just_now_is_not_said_to_have_been_before(taken_back: Trials) -> None:
    taken_back.request("rollback#1")
    look(taken_back)
    told = events_until_at_rest(taken_back)
    assert "NotTriedAgain" not in {event.reason for event in told}


def test_a_lost_status_makes_no_news_of_what_was_taken_back_long_ago(taken_back: Trials) -> None:
    events_until_at_rest(changed(taken_back, 2))
    taken_back.observed = replace(taken_back.observed, owner=replace(taken_back.observed.owner, status={}))
    assert events_until_at_rest(taken_back) == []
