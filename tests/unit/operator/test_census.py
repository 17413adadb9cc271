"""Objects counted by state and reason, for a metric that cannot grow without bounds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from canaries import Trials, analysed, canary_spec, changed, fallen_silent, later, look, pods_of, served
from plimsoll_operator.census import MOST_REASONS, State, serves_nothing, short_for_memory, state_of, take_census


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
    assert take_census([make_object(Ready="Serving")]).by_state == {
        ("Ready", "Serving"): 1,
        ("Reconciling", ""): 0,
        ("Stalled", ""): 0,
        ("Held", ""): 0,
        ("Unknown", ""): 0,
    }


def test_reasons_beyond_the_most_frequent_are_counted_together() -> None:
    letters = [chr(ord("a") + number // 26) + chr(ord("a") + number % 26) for number in range(200)]
    objects = [make_object(Stalled=reason) for reason in letters]
    census = take_census([*objects, *objects[:5]]).by_state
    stalled = {reason: count for (state, reason), count in census.items() if state == "Stalled"}
    assert len(stalled) == MOST_REASONS + 1
    assert stalled["Other"] == 205 - sum(count for reason, count in stalled.items() if reason != "Other")
    assert stalled["aa"] == 2


def killed(down: int, **metadata: str) -> dict[str, Any]:
    """An object that serves, with so many stable pods that were killed for memory and are not back."""
    manifest = make_object(Available="Serving", Ready="!OOMKilled")
    manifest["metadata"] |= metadata
    manifest["status"]["outOfMemory"] = {"revision": "any", "stablePodsDown": down}
    return manifest


@pytest.mark.parametrize(
    ("manifest", "short"),
    [
        pytest.param(killed(1), True, id="a stable pod is killed"),
        pytest.param(killed(0), False, id="a canary is killed, or a stable pod was and is back"),
        pytest.param(killed(1, deletionTimestamp="2026-05-04T03:00:00Z"), False, id="it is being deleted"),
        pytest.param(make_object(Available="!OOMKilled"), True, id="nothing serves"),
        pytest.param(make_object(Available="!CrashLoop"), False, id="nothing serves for another reason"),
        pytest.param({"metadata": {"generation": 1}}, False, id="new"),
    ],
)
def test_only_kills_that_keep_pods_from_serving_hurt_callers(manifest: dict[str, Any], short: bool) -> None:
    assert short_for_memory(manifest) is short


def looked_at(trials: Trials) -> dict[str, Any]:
    owner = trials.observed.owner
    return {"metadata": {"generation": owner.generation}, "status": owner.status}


def test_nothing_is_served_where_a_revision_that_served_has_no_ready_pod() -> None:
    trials = Trials(canary_spec(1))
    trials.reconcile()
    assert not serves_nothing(looked_at(trials)), "the first pods only load"
    trials = served(2)
    assert not serves_nothing(looked_at(trials))
    trials.unready.update(pods_of(trials.observed, 1))
    look(trials, 2)
    assert serves_nothing(looked_at(trials))
    gone = {**looked_at(trials), "metadata": {"generation": 1, "deletionTimestamp": "2026-05-04T03:00:00Z"}}
    assert not serves_nothing(gone)
    assert take_census([looked_at(trials), gone]).serving_nothing == 1


def test_an_object_that_is_parked_serves_nothing_as_it_should() -> None:
    trials = served(2)
    trials.change({**trials.observed.owner.spec, "scaling": {"minReplicas": 0}})
    trials.settle()
    assert not serves_nothing(looked_at(trials))


@pytest.mark.parametrize("crashes", [True, False], ids=["it crashes", "it answers no probe"])
def test_that_nothing_answers_is_told_before_what_was_taken_back_days_ago(crashes: bool) -> None:
    trials = analysed(changed(served(2), 2))
    trials.decision = "Rollback"
    trials.until_phase("RolledBack")
    trials.settle()
    assert state_of(looked_at(trials)) == ("Stalled", "RolledBack")
    later(trials, timedelta(days=2))
    if crashes:
        trials.crashing.update(pods_of(trials.observed, 1))
    else:
        fallen_silent(trials, 1)
    look(trials, 3)
    later(trials, timedelta(minutes=20))
    look(trials)
    state, reason = state_of(looked_at(trials))
    assert (state, reason != "RolledBack") == ("Stalled", True)
    assert "is to serve, but no pod of it is ready" in trials.rollout["message"]
