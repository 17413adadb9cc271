"""A canary without an answer in time: not ready, undecided, or with nothing to be compared by."""

from __future__ import annotations

from datetime import timedelta

import pytest

from canaries import analysed, changed, fallen_silent, later, look, pods_of, rejection_of, served, stalled, watched
from plimsoll_operator.rollout.evidence import Data
from rollouts import condition

TEN_MINUTES = timedelta(minutes=10)


# Without an answer in time
def test_a_canary_that_is_not_ready_in_time_is_taken_back() -> None:
    trials = changed(served(3, progressDeadline="5m"))
    trials.broken.add("pvc://models/v2")
    look(trials, 4)
    stable = pods_of(trials.observed, 1)
    watched(trials, timedelta(minutes=5))
    trials.settle()
    because = rejection_of(trials.observed, 2)
    assert because is not None
    assert because.reason == "NotReadyInTime"
    assert stalled(trials) == ("True", "RolledBack")
    assert pods_of(trials.observed, 1) == stable


@pytest.mark.parametrize("apart", [0, 5], ids=["looked at at once", "looked at again after 5 s"])
def test_a_canary_that_is_taken_back_in_time_is_not_told_as_a_rollout_that_stands_still(apart: float) -> None:
    trials = changed(served(3, progressDeadline="5m"))
    trials.broken.add("pvc://models/v2")
    for _ in range(4):
        look(trials)
        later(trials, timedelta(seconds=apart))
    watched(trials, timedelta(minutes=4, seconds=30))
    reasons = set()
    for _ in range(15):
        later(trials, timedelta(seconds=5))
        look(trials)
        reasons.add(stalled(trials))
    assert reasons == {("False", "NotStalled"), ("True", "RolledBack")}


def test_the_time_of_a_canary_begins_when_its_pod_has_a_node() -> None:
    trials = changed(served(3, gpus=3, progressDeadline="5m"))
    trials.broken.add("pvc://models/v2")
    look(trials, 3)
    watched(trials, timedelta(minutes=4))
    trials.gpus += 1
    look(trials, 3)
    watched(trials, timedelta(minutes=4))
    look(trials, 2)
    assert trials.rollout["phase"] == "Surging"
    watched(trials, timedelta(minutes=1))
    trials.settle()
    assert trials.rollout["phase"] == "RolledBack"


def test_a_clock_that_jumps_takes_no_canary_back_that_loads() -> None:
    trials = changed(served(3, progressDeadline="10m"))
    trials.broken.add("pvc://models/v2")
    look(trials, 6)
    later(trials, timedelta(minutes=11))
    look(trials, 2)
    assert trials.rollout["phase"] == "Surging"
    trials.broken.clear()
    analysed(trials)


def test_a_canary_that_answers_no_more_has_as_long_to_come_back() -> None:
    trials = analysed(changed(served(3, progressDeadline="5m")))
    fallen_silent(trials, 2)
    look(trials, 3)
    assert trials.rollout["phase"] == "Surging"
    trials.unready.clear()
    analysed(trials)
    fallen_silent(trials, 2)
    look(trials, 2)
    watched(trials, timedelta(minutes=5))
    trials.settle()
    assert trials.rollout["phase"] == "RolledBack"


@pytest.mark.parametrize(
    ("asked", "phase", "reason"),
    [("Pause", "Inconclusive", ""), ("Promote", "Promoting", ""), ("Rollback", "RollingBack", "Inconclusive")],
)
def test_time_that_is_up_without_a_decision(asked: str, phase: str, reason: str) -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "10m", "onInconclusive": asked, "steps": [10]})))
    watched(trials, TEN_MINUTES)
    look(trials)
    assert trials.rollout["phase"] == phase
    because = rejection_of(trials.observed, 2)
    assert (because.reason if because else "") == reason


def test_an_inconclusive_canary_waits_for_a_person_and_is_still_taken_back_for_harm() -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "10m"})))
    watched(trials, TEN_MINUTES)
    trials.until_phase("Inconclusive")
    trials.decision = "Promote"
    look(trials, 20)
    assert trials.rollout["phase"] == "Inconclusive"
    assert stalled(trials)[0] == condition(trials.observed, "Reconciling")["status"] == "False"
    trials.decision = "Rollback"
    trials.settle()
    assert trials.rollout["phase"] == "RolledBack"


@pytest.mark.parametrize(
    ("settings", "phase"),
    [
        pytest.param({"maxDuration": "2h", "steps": [10]}, "Analysing", id="more time"),
        pytest.param({"maxDuration": "10m", "steps": [10], "onInconclusive": "Rollback"}, "RollingBack", id="back"),
        pytest.param({"maxDuration": "10m", "steps": [10], "onInconclusive": "Promote"}, "Promoting", id="promote"),
    ],
)
def test_an_inconclusive_canary_is_decided_on_anew_when_the_settings_are_others(
    settings: dict[str, object], phase: str
) -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "10m", "steps": [10]})))
    watched(trials, TEN_MINUTES)
    trials.until_phase("Inconclusive")
    changed(trials, canary=settings)
    look(trials)
    assert trials.rollout["phase"] == phase


def test_evidence_that_suffices_once_a_margin_is_wider_promotes_what_was_inconclusive() -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "10m", "steps": [10]})))
    watched(trials, TEN_MINUTES)
    trials.until_phase("Inconclusive")
    changed(trials, analysis={"marginPercent": 5})
    trials.decision = "Promote"
    look(trials)
    assert trials.rollout["phase"] == "Promoting"


def test_an_inconclusive_canary_tells_since_when_and_which_pods_serve() -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "10m", "steps": [10]})))
    began = trials.rollout["countsFrom"]
    watched(trials, TEN_MINUTES)
    trials.until_phase("Inconclusive")
    look(trials)
    assert f"is compared since {began} without a decision" in trials.rollout["message"]
    assert "both revisions serve until then" in trials.rollout["message"]
    fallen_silent(trials, 2)
    look(trials, 2)
    assert "no pod of the canary is ready, and the stable revision serves alone" in trials.rollout["message"]
    fallen_silent(trials, 1)
    look(trials, 2)
    assert "no pod of either revision is ready, and nothing serves" in trials.rollout["message"]


def test_evidence_that_suffices_in_time_is_no_less_for_steps_that_were_not_reached() -> None:
    trials = analysed(changed(served(4, canary={"maxDuration": "1m"})))
    trials.decision = "Promote"
    states = trials.until_phase("Promoting")
    assert states[-2].owner.status["rollout"]["step"] < states[-2].owner.status["rollout"]["steps"] == 2


# Without data
@pytest.mark.parametrize(
    ("asked", "phase", "reason"),
    [("Hold", "Analysing", ""), ("Promote", "Promoting", ""), ("Rollback", "RollingBack", "NoData")],
)
@pytest.mark.parametrize("data", ["NoTraffic", "NoMetrics"])
def test_time_that_is_up_without_data(data: Data, asked: str, phase: str, reason: str) -> None:
    trials = changed(served(3, canary={"maxDuration": "10m", "onNoData": asked}))
    trials.data = data
    watched(analysed(trials), TEN_MINUTES)
    look(trials)
    assert trials.rollout["phase"] == phase
    because = rejection_of(trials.observed, 2)
    assert (because.reason if because else "") == reason


@pytest.mark.parametrize(
    ("no_data", "phase"), [("Promote", "Inconclusive"), ("Rollback", "Inconclusive"), ("Hold", "Analysing")]
)
def test_a_lull_when_time_is_up_does_not_make_undone_what_was_measured(no_data: str, phase: str) -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "10m", "onNoData": no_data})))
    look(trials, 20)
    trials.data = "NoTraffic"
    watched(trials, TEN_MINUTES)
    look(trials, 2)
    assert trials.rollout["phase"] == phase


def test_data_that_comes_back_late_gives_all_of_the_time_again() -> None:
    trials = changed(served(3, canary={"maxDuration": "10m", "steps": [10]}))
    trials.data = "NoTraffic"
    watched(analysed(trials), 3 * TEN_MINUTES)
    look(trials, 2)
    assert (trials.rollout["reason"], trials.rollout["heldWithoutData"]) == ("NoTraffic", True)
    trials.data = "Measured"
    look(trials, 2)
    assert trials.rollout["phase"] == "Analysing"
    watched(trials, TEN_MINUTES)
    look(trials)
    assert trials.rollout["phase"] == "Inconclusive"


def test_time_in_which_prometheus_was_away_does_not_count() -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "10m", "steps": [10]})))
    trials.blind = timedelta(minutes=8)
    watched(trials, timedelta(minutes=12))
    look(trials)
    assert trials.rollout["phase"] == "Analysing"


def test_a_canary_whose_own_metrics_are_missing_is_taken_back_after_the_deadline() -> None:
    trials = analysed(changed(served(3, progressDeadline="5m", canary={"steps": [10]})))
    trials.data = "CanaryMissing"
    look(trials, 2)
    assert trials.rollout["reason"] == "CanaryMissing"
    trials.data = "Measured"
    look(trials)
    trials.data = "CanaryMissing"
    watched(trials, timedelta(minutes=4))
    look(trials, 2)
    assert trials.rollout["phase"] == "Analysing", "it was missed anew"
    watched(trials, timedelta(minutes=1))
    trials.settle()
    because = rejection_of(trials.observed, 2)
    assert because is not None
    assert because.reason == "CanaryMissing"
