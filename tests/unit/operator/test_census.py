"""Objects counted by state and reason, for a metric that cannot grow without bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from plimsoll_operator.census import MOST_REASONS, STILL_BEING_KILLED, State, short_for_memory, state_of, take_census


def make_object(generation: int = 2, seen: int = 2, **conditions: str) -> dict[str, Any]:
    """`Stalled="ClaimNotFound"` is a condition that is True for that reason, `Ready="!Paused"` one that is False."""
    listed = [
        {
            "type": kind,
            "status": "False" if said.startswith("!") else "True",
            "reason": said.removeprefix("!"),
            "observedGeneration": seen,
        }
        for kind, said in conditions.items()
    ]
    return {"metadata": {"generation": generation}, "status": {"conditions": listed}}


@pytest.mark.parametrize(
    ("manifest", "state"),
    [
        (make_object(Ready="Serving", Reconciling="!Serving", Stalled="!Serving"), ("Ready", "Serving")),
        (make_object(Ready="!Starting", Reconciling="Starting", Stalled="!Starting"), ("Reconciling", "Starting")),
        (make_object(Ready="!NameTaken", Reconciling="!NameTaken", Stalled="NameTaken"), ("Stalled", "NameTaken")),
        (make_object(Ready="!Paused", Reconciling="!Paused", Stalled="!Paused"), ("Held", "Paused")),
        (make_object(seen=1, Ready="Serving"), ("Unknown", "")),
        ({"metadata": {"generation": 1}}, ("Unknown", "")),
        (make_object(Stalled='x"} 1\nforged'), ("Stalled", "Other")),
    ],
    ids=["ready", "at work", "stalled", "paused", "of an earlier generation", "new", "not one of ours"],
)
def test_an_object_is_in_one_state(manifest: dict[str, Any], state: State) -> None:
    assert state_of(manifest) == state


def test_every_state_is_told_even_when_no_object_is_in_it() -> None:
    assert take_census([make_object(Ready="Serving")]) == {
        ("Ready", "Serving"): 1,
        ("Reconciling", ""): 0,
        ("Stalled", ""): 0,
        ("Held", ""): 0,
        ("Unknown", ""): 0,
    }


def test_reasons_beyond_the_most_frequent_are_counted_together() -> None:
    letters = [chr(ord("a") + number // 26) + chr(ord("a") + number % 26) for number in range(200)]
    objects = [make_object(Stalled=reason) for reason in letters]
    census = take_census([*objects, *objects[:5]])
    stalled = {reason: count for (state, reason), count in census.items() if state == "Stalled"}
    assert len(stalled) == MOST_REASONS + 1
    assert stalled["Other"] == 205 - sum(count for reason, count in stalled.items() if reason != "Other")
    assert stalled["aa"] == 2


NOW = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)


def killed(revision: str = "stable", ready: int = 2, ago: timedelta = timedelta(minutes=1)) -> dict[str, Any]:
    """An object of three stable pods beside a canary, one pod of `revision` of which was killed for memory."""
    manifest = make_object(Available="Serving", Ready="!OOMKilled")
    manifest["status"]["outOfMemory"] = {"revision": revision, "at": (NOW - ago).isoformat()}
    manifest["status"]["revisions"] = [
        {"hash": "canary", "stable": False, "replicas": 1, "readyReplicas": 0},
        {"hash": "stable", "stable": True, "replicas": 3, "readyReplicas": ready},
    ]
    return manifest


@pytest.mark.parametrize(
    ("manifest", "short"),
    [
        pytest.param(killed("canary", ready=3), False, id="a canary is killed and the stable revision is whole"),
        pytest.param(killed("canary", ready=2), False, id="a canary is killed and a stable pod starts"),
        pytest.param(killed(), True, id="a stable pod is killed"),
        pytest.param(killed(ready=3), False, id="a stable pod was killed and is back"),
        pytest.param(killed(ago=STILL_BEING_KILLED), False, id="a stable pod was killed long ago and another starts"),
        pytest.param(make_object(Available="!OOMKilled"), True, id="nothing serves"),
        pytest.param(make_object(Available="!CrashLoop"), False, id="nothing serves for another reason"),
        pytest.param({"metadata": {"generation": 1}}, False, id="new"),
    ],
)
def test_only_kills_that_leave_too_few_of_what_serves_hurt_callers(manifest: dict[str, Any], short: bool) -> None:
    assert short_for_memory(manifest, NOW) is short
