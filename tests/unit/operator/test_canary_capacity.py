"""Where a canary gets its GPU: a free one, the place of a pod that serves, or none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from canaries import analysed, autoscaled, changed, look, pods_of, rejection_of, served, stalled

TEN_MINUTES = timedelta(minutes=10)


@pytest.mark.parametrize(
    ("capacity", "help_"),
    [
        ("Auto", "lower scaling.minReplicas, or set rollout.canary.capacity to Replace"),
        ("Surge", "or set rollout.canary.capacity to Auto"),
    ],
)
def test_without_a_gpu_a_canary_waits_and_says_what_would_help(capacity: str, help_: str) -> None:
    trials = changed(served(3, gpus=3, canary={"capacity": capacity}))
    stable = pods_of(trials.observed, 1)
    look(trials, 5)
    assert (trials.rollout["phase"], trials.rollout["reason"]) == ("Surging", "NoFreeGPU")
    assert help_ in trials.rollout["message"]
    assert pods_of(trials.observed, 1) == stable


def test_a_gpu_that_does_not_come_is_told_after_the_deadline_and_held_against_nobody() -> None:
    trials = changed(served(3, gpus=3, progressDeadline="10m"))
    look(trials, 3)
    trials.now += TEN_MINUTES
    look(trials, 2)
    assert stalled(trials) == ("True", "ProgressDeadlineExceeded")
    assert rejection_of(trials.observed, 2) is None
    trials.gpus += 1
    analysed(trials)
    assert stalled(trials) == ("False", "NotStalled")


def test_one_pod_gives_its_place_where_the_minimum_spares_it() -> None:
    trials = changed(autoscaled(3, gpus=3))
    trials.demand = None
    states = trials.until_phase("Analysing")
    assert min(state.ready for state in states) == 2
    assert trials.rollout["placesGiven"] == 1
    assert len(pods_of(trials.observed, 1)) == 2
    trials.decision = "Rollback"
    trials.settle()
    assert len(pods_of(trials.observed, 1)) == 3


def test_the_only_pod_is_never_given_up() -> None:
    trials = changed(served(1, gpus=1, canary={"capacity": "Replace"}))
    look(trials, 6)
    assert trials.observed.ready == 1
    assert trials.rollout["reason"] == "NoFreeGPU"


def test_a_canary_makes_do_with_fewer_pods_than_its_step_asks_for() -> None:
    trials = analysed(changed(served(9, gpus=10, canary={"steps": [50], "maxPods": 2})))
    assert (trials.rollout["weightPercent"], len(pods_of(trials.observed, 1))) == (10, 9)
