"""A canary that somebody pauses, or whose spec changes meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from canaries import analysed, changed, look, pods_of, rejection_of, served, stalled, watched
from plimsoll_operator.rollout.evidence import Decision
from rollouts import condition


# A pause
def test_a_pause_holds_steps_and_promotion_but_not_protection() -> None:
    trials = changed(analysed(changed(served(4))), paused=True)
    trials.decision = "Promote"
    look(trials, 30)
    assert (trials.rollout["phase"], trials.rollout["step"]) == ("Paused", 1)
    assert condition(trials.observed, "Ready")["reason"] == "Paused"
    trials.now += timedelta(hours=1)
    look(trials)
    assert stalled(trials)[0] == "False"
    trials.decision = "Rollback"
    trials.settle()
    assert trials.rollout["phase"] == "RolledBack"


def test_after_a_pause_it_goes_on_where_it_was() -> None:
    trials = changed(analysed(changed(served(4))), paused=True)
    canary = pods_of(trials.observed, 2)
    look(trials, 3)
    trials.decision = "Promote"
    changed(trials, paused=False)
    trials.until_phase("Idle")
    assert canary <= pods_of(trials.observed, 2)


@pytest.mark.parametrize("asked", ["Pause", "Promote", "Rollback"])
def test_the_time_of_a_pause_is_none_of_the_comparison(asked: str) -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "30m", "onInconclusive": asked})))
    changed(trials, paused=True)
    look(trials, 2)
    trials.now += timedelta(hours=9)
    look(trials, 2)
    changed(trials, paused=False)
    look(trials, 8)
    assert trials.rollout["phase"] == "Analysing"
    watched(trials, timedelta(minutes=30))
    look(trials, 2)
    assert trials.rollout["phase"] != "Analysing"


def test_a_canary_that_is_paused_before_it_began_has_no_pod() -> None:
    trials = changed(served(4), paused=True)
    trials.settle()
    assert trials.of(2) is None
    assert trials.rollout["phase"] == "Paused"


def test_a_pause_holds_also_what_has_served_before() -> None:
    trials = changed(served(3))
    trials.decision = "Promote"
    trials.until_phase("Idle")
    trials.until(lambda trials: trials.of(1) is None)
    changed(trials, 1, paused=True)
    trials.settle()
    assert (trials.rollout["phase"], trials.of(1)) == ("Paused", None)


@pytest.mark.parametrize("by_spec", [True, False], ids=["in the spec", "by a request"])
@pytest.mark.parametrize("decision", ["Undecided", "Promote"])
def test_a_pause_ends_nothing_that_was_inconclusive(by_spec: bool, decision: Decision) -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "5m", "steps": [10]})))
    watched(trials, timedelta(minutes=5))
    trials.until_phase("Inconclusive")
    trials.decision = decision
    for is_paused in (True, False):
        if by_spec:
            changed(trials, paused=is_paused)
        else:
            trials.request("pause#1" if is_paused else "resume#2")
        look(trials, 3)
        assert trials.rollout["phase"] == ("Paused" if is_paused else "Inconclusive")
    changed(trials, canary={"maxDuration": "2h", "steps": [10]})
    look(trials, 2)
    assert trials.rollout["phase"] == ("Analysing" if decision == "Undecided" else "Promoting")


# Superseded
def test_a_change_during_a_canary_ends_it_and_begins_the_next() -> None:
    trials = analysed(changed(served(4, gpus=5)))
    stable = pods_of(trials.observed, 1)
    changed(trials, 3)
    trials.until(lambda trials: trials.rollout["phase"] == "Analysing" and trials.of(2) is None)
    assert trials.of(3) is not None
    assert pods_of(trials.observed, 1) == stable
    assert rejection_of(trials.observed, 2) is None


def test_a_canary_that_is_superseded_goes_whatever_the_next_one_meets_with() -> None:
    trials = analysed(changed(served(4)))
    changed(trials, 3)
    plan = trials.plan()
    assert [scale.replicas for scale in plan.scale] == [0]
    assert plan.rehearsal is None


@pytest.mark.parametrize("phase", ["Surging", "Analysing", "Paused", "Inconclusive"])
def test_a_spec_that_returns_to_the_stable_revision_ends_the_canary_and_restarts_nothing(phase: str) -> None:
    trials = changed(served(3, canary={"maxDuration": "1m"}))
    stable = pods_of(trials.observed, 1)
    if phase == "Paused":
        analysed(trials)
        changed(trials, paused=True)
    trials.until_phase(phase)
    changed(trials, 1, paused=False)
    trials.settle()
    assert (trials.rollout["phase"], trials.of(2)) == ("Idle", None)
    assert pods_of(trials.observed, 1) == stable


def test_a_change_during_a_promotion_is_judged_beside_both() -> None:
    trials = changed(served(4))
    trials.decision = "Promote"
    trials.until(lambda trials: trials.rollout["phase"] == "Promoting" and len(pods_of(trials.observed, 2)) == 4)
    trials.decision = "Undecided"
    changed(trials, 3)
    states = trials.until_phase("Analysing")
    assert min(state.ready for state in states) >= 4
    trials.decision = "Rollback"
    states = trials.settle()
    assert min(state.ready for state in states) >= 4
    assert (trials.of(1), trials.of(3)) == (None, None)
    assert len(pods_of(trials.observed, 2)) == 4


def test_a_plain_rollout_under_way_goes_on_as_a_canary_where_the_strategy_changes() -> None:
    trials = changed(served(4), strategy="RollingUpdate")
    trials.until(lambda trials: len(pods_of(trials.observed, 2)) == 3)
    begun = pods_of(trials.observed, 2)
    changed(trials, strategy="Canary")
    trials.decision = "Promote"
    states = [*trials.until_phase("Analysing"), *trials.until_phase("Idle")]
    assert min(state.ready for state in states) >= 4
    assert begun <= pods_of(states[-1], 2)
