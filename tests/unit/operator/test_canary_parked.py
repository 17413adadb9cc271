"""A model that is parked while it is changed: nothing runs, and nothing is decided of what never ran."""

from __future__ import annotations

from typing import Any

import pytest

from canaries import Trials, analysed, changed, look, pods_of, rejection_of, served
from rollouts import condition


def scaled(trials: Trials, replicas: int) -> Trials:
    spec = trials.observed.owner.spec
    trials.change({**spec, "scaling": {"minReplicas": replicas, "provider": "None"}})
    return trials


@pytest.mark.parametrize("rollout", [{}, {"paused": True}], ids=["moving", "paused"])
def test_to_park_a_canary_promotes_nothing(rollout: dict[str, Any]) -> None:
    trials = analysed(changed(served(3)))
    stable = trials.rollout["stable"]
    changed(trials, **rollout)
    scaled(trials, 0)
    trials.settle()
    assert trials.pods == []
    assert trials.rollout["stable"] == stable
    assert (trials.rollout["phase"], trials.rollout["reason"]) == ("Paused", "Untried")
    assert (trials.of(1), trials.of(2)) != (None, None)


def test_with_pods_again_the_stable_revision_serves_and_the_trial_begins_anew() -> None:
    trials = analysed(changed(served(3)))
    look(trials, 3)
    scaled(trials, 0)
    trials.settle()
    scaled(trials, 3)
    states = trials.until_phase("Analysing")
    assert all(len(pods_of(state, 1)) == 3 for state in states if pods_of(state, 2)), "what serves comes first"
    assert (len(pods_of(trials.observed, 1)), len(pods_of(trials.observed, 2))) == (3, 1)
    assert trials.rollout["step"] == 1
    trials.decision = "Promote"
    trials.until_phase("Idle")
    assert trials.of(1) is None


def test_a_change_of_what_is_parked_is_judged_once_there_are_pods() -> None:
    trials = changed(served(0))
    trials.settle()
    assert trials.of(2) is None
    assert condition(trials.observed, "Ready")["reason"] == "Untried"
    scaled(trials, 3)
    trials.decision = "Rollback"
    trials.settle()
    assert (trials.rollout["phase"], len(pods_of(trials.observed, 1))) == ("RolledBack", 3)


def test_harm_that_was_found_is_acted_on_also_when_it_is_parked() -> None:
    trials = analysed(changed(served(3)))
    scaled(trials, 0)
    trials.decision = "Rollback"
    look(trials)
    assert rejection_of(trials.observed, 2) is not None


def test_a_parked_model_goes_back_to_its_stable_revision_at_once() -> None:
    trials = changed(served(0))
    trials.settle()
    changed(trials, 1)
    trials.settle()
    assert (trials.rollout["phase"], trials.of(2)) == ("Idle", None)
