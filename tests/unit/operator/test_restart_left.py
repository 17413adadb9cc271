"""A restart belongs to the spec that it was asked for, and can be left: what serves is of that very spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from canaries import Trials, analysed, changed, look, pods_of, served, stalled
from plimsoll_operator.cli.explanation.advice import advice
from plimsoll_operator.plan import Event
from rollouts import condition

WAYS = [
    pytest.param("abort#2", id="abort"),
    pytest.param("rollback#2", id="rollback"),
    pytest.param("rollback@{stable}#2", id="rollback to what serves"),
]


def stable_of(trials: Trials) -> str:
    return str(trials.rollout["stable"])


def restarting(trials: Trials) -> Trials:
    """A restart of what the spec asks for is compared."""
    trials.request("restart#1")
    look(trials)
    return analysed(trials)


def taken_back(trials: Trials) -> Trials:
    """A restart was found to do harm."""
    restarting(trials).decision = "Rollback"
    trials.until_phase("RolledBack")
    trials.decision = "Undecided"
    return trials


def at_rest_with(trials: Trials, stable: str, pods: set[str]) -> None:
    look(trials, 10)
    assert (trials.rollout["phase"], stable_of(trials)) == ("Idle", stable)
    assert {pod.name for pod in trials.pods} == pods
    assert condition(trials.observed, "Ready")["status"] == "True"
    assert stalled(trials)[0] == "False"


def test_a_spec_set_back_after_a_restart_of_its_canary_goes_back_to_what_serves() -> None:
    trials = analysed(changed(served(3)))
    stable, pods = stable_of(trials), pods_of(trials.observed, 1)
    restarting(trials)
    changed(trials, 1)
    at_rest_with(trials, stable, pods)


@pytest.mark.parametrize("begun", [restarting, taken_back])
def test_a_spec_that_goes_away_and_comes_back_has_left_a_restart_behind(begun: Callable[[Trials], Trials]) -> None:
    trials = served(3)
    stable, pods = stable_of(trials), pods_of(trials.observed, 1)
    begun(trials)
    look(changed(trials, 2), 4)
    assert pods_of(trials.observed, 2)
    changed(trials, 1)
    at_rest_with(trials, stable, pods)


def test_a_spec_that_served_comes_back_unjudged_though_a_restart_of_it_was_taken_back() -> None:
    trials = served(2)
    first = stable_of(trials)
    taken_back(trials)
    changed(trials, 2)
    trials.decision = "Promote"
    trials.until(lambda t: t.rollout["phase"] == "Idle" and stable_of(t) != first)
    trials.decision = "Rollback"
    changed(trials, 1)
    trials.until(lambda t: t.rollout["phase"] == "Idle" and stable_of(t) == first)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("writes", [None, *range(4)])
def test_a_restart_that_was_taken_back_is_left(way: str, writes: int | None) -> None:
    trials = taken_back(served(2))
    stable, pods = stable_of(trials), pods_of(trials.observed, 1)
    trials.request(way.format(stable=stable))
    trials.reconcile(writes=writes)
    at_rest_with(trials, stable, pods)
    assert trials.rollout["lastRequest"]["outcome"] == "Accepted"
    trials.observed = replace(trials.observed, owner=replace(trials.observed.owner, status={}))
    look(trials)
    at_rest_with(trials, stable, pods)


def test_an_aborted_restart_leaves_nothing_to_change_in_the_spec() -> None:
    trials = restarting(served(2))
    stable, pods = stable_of(trials), pods_of(trials.observed, 1)
    trials.request("abort#2")
    look(trials)
    assert trials.rollout["phase"] == "RollingBack"
    assert trials.rollout["decidedAt"]
    at_rest_with(trials, stable, pods)
    [rejected] = [found.rejected for found in trials.observed.revisions if found.rejected]
    assert rejected.reason == "Aborted"


def test_a_promoted_restart_is_rolled_back_to_the_rendering_before_it_and_the_object_is_at_rest() -> None:
    trials = served(2)
    first = stable_of(trials)
    restarting(trials).decision = "Promote"
    trials.until(lambda t: t.rollout["phase"] == "Idle" and stable_of(t) != first)
    trials.request("rollback#2")
    look(trials)
    assert trials.rollout["phase"] == "RollingBack"
    trials.until_phase("Idle")
    assert stable_of(trials) == first
    assert stalled(trials)[0] == "False"


def test_a_rollback_past_a_restart_to_another_spec_is_not_undone_by_what_served_between() -> None:
    trials = served(2)
    first = stable_of(trials)
    changed(trials, 2)
    trials.decision = "Promote"
    trials.until(lambda t: t.rollout["phase"] == "Idle" and stable_of(t) != first)
    taken_back(trials)
    trials.request(f"rollback@{first}#2")
    look(trials, 20)
    assert (trials.rollout["phase"], stable_of(trials)) == ("RolledBack", first)


def test_a_restart_that_was_taken_back_is_told_with_the_way_out_of_it() -> None:
    trials = restarting(served(2))
    events: list[Event] = []
    trials.decision = "Rollback"
    while trials.rollout["phase"] != "RolledBack":
        events += trials.reconcile().events
    assert trials.rollout["restart"] is True
    assert "`kubectl plimsoll abort domains -n guardrails`, which restarts nothing" in stalled_message(trials)
    [told] = [event.message for event in events if event.reason == "RolledBack"]
    assert "kubectl plimsoll abort domains -n guardrails leaves the restart at that" in told
    lines = advised(trials)
    assert any("abort domains -n guardrails leaves it at that" in line for line in lines)
    assert not any("git" in line for line in lines)
    trials.request("abort#2")
    look(trials, 2)
    assert "restart" not in trials.rollout


def test_another_change_that_was_taken_back_is_told_to_be_changed() -> None:
    trials = analysed(changed(served(2)))
    trials.decision = "Rollback"
    trials.until_phase("RolledBack")
    assert "restart" not in trials.rollout
    assert "serves: change the spec" in stalled_message(trials)
    assert any("take it back in git" in line for line in advised(trials))


def stalled_message(trials: Trials) -> str:
    return str(condition(trials.observed, "Stalled")["message"])


def advised(trials: Trials) -> list[str]:
    owner = trials.observed.owner
    metadata = {"name": owner.name, "namespace": owner.namespace, "generation": owner.generation}
    return list(advice({"metadata": metadata, "spec": owner.spec, "status": owner.status}, None, "MoreErrors"))
