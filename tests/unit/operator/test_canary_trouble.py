"""A canary in trouble: without a GPU, without data, without an answer in time, superseded, or beside what is broken."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import make_pod
from canaries import Trials, autoscaled, canary_spec, changed, pods_of, rejection_of, served
from plimsoll_operator.observed import Milestones, ObjectKey
from plimsoll_operator.rollout.evidence import Data
from rollouts import condition

TEN_MINUTES = timedelta(minutes=10)


def analysed(trials: Trials) -> Trials:
    trials.until_phase("Analysing")
    return trials


def look(trials: Trials, times: int = 1) -> None:
    for _ in range(times):
        trials.reconcile()


def stalled(trials: Trials) -> tuple[str, str]:
    found = condition(trials.observed, "Stalled")
    return found["status"], found["reason"]


def fallen_silent(trials: Trials, version: int) -> None:
    """None of the pods of a version answers any more."""
    trials.unready |= pods_of(trials.observed, version)


# Without a GPU


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


# Without an answer in time


def test_a_canary_that_is_not_ready_in_time_is_taken_back() -> None:
    trials = changed(served(3, progressDeadline="5m"))
    trials.broken.add("pvc://models/v2")
    look(trials, 4)
    stable = pods_of(trials.observed, 1)
    trials.now += timedelta(minutes=5)
    trials.settle()
    because = rejection_of(trials.observed, 2)
    assert because is not None
    assert because.reason == "NotReadyInTime"
    assert stalled(trials) == ("True", "RolledBack")
    assert pods_of(trials.observed, 1) == stable


def test_a_canary_that_is_taken_back_in_time_is_not_told_as_a_rollout_that_stands_still() -> None:
    trials = changed(served(3, progressDeadline="5m"))
    trials.broken.add("pvc://models/v2")
    look(trials, 4)
    trials.now += timedelta(minutes=5)
    reasons = set()
    for _ in range(6):
        look(trials, 1)
        reasons.add(stalled(trials))
    assert reasons == {("False", "NotStalled"), ("True", "RolledBack")}


def test_the_time_of_a_canary_begins_when_its_pod_has_a_node() -> None:
    trials = changed(served(3, gpus=3, progressDeadline="5m"))
    trials.broken.add("pvc://models/v2")
    look(trials, 3)
    trials.now += timedelta(minutes=4)
    trials.gpus += 1
    look(trials, 2)
    trials.now += timedelta(minutes=4)
    look(trials, 2)
    assert trials.rollout["phase"] == "Surging"
    trials.now += timedelta(minutes=1)
    trials.settle()
    assert trials.rollout["phase"] == "RolledBack"


def test_a_canary_that_answers_no_more_has_as_long_to_come_back() -> None:
    trials = analysed(changed(served(3, progressDeadline="5m")))
    fallen_silent(trials, 2)
    look(trials, 3)
    assert trials.rollout["phase"] == "Surging"
    trials.unready.clear()
    analysed(trials)
    fallen_silent(trials, 2)
    look(trials, 2)
    trials.now += timedelta(minutes=5)
    trials.settle()
    assert trials.rollout["phase"] == "RolledBack"


@pytest.mark.parametrize(
    ("asked", "phase", "reason"),
    [("Pause", "Inconclusive", ""), ("Promote", "Promoting", ""), ("Rollback", "RollingBack", "Inconclusive")],
)
def test_time_that_is_up_without_a_decision(asked: str, phase: str, reason: str) -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "10m", "onInconclusive": asked, "steps": [10]})))
    trials.now += TEN_MINUTES
    look(trials)
    assert trials.rollout["phase"] == phase
    because = rejection_of(trials.observed, 2)
    assert (because.reason if because else "") == reason


def test_an_inconclusive_canary_waits_for_a_person_and_is_still_taken_back_for_harm() -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "10m"})))
    trials.now += TEN_MINUTES
    trials.until_phase("Inconclusive")
    trials.decision = "Promote"
    look(trials, 20)
    assert trials.rollout["phase"] == "Inconclusive"
    assert stalled(trials)[0] == condition(trials.observed, "Reconciling")["status"] == "False"
    trials.decision = "Rollback"
    trials.settle()
    assert trials.rollout["phase"] == "RolledBack"


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
    analysed(trials).now += TEN_MINUTES
    look(trials)
    assert trials.rollout["phase"] == phase
    because = rejection_of(trials.observed, 2)
    assert (because.reason if because else "") == reason


def test_data_that_comes_back_late_gives_all_of_the_time_again() -> None:
    trials = changed(served(3, canary={"maxDuration": "10m", "steps": [10]}))
    trials.data = "NoTraffic"
    analysed(trials).now += 3 * TEN_MINUTES
    look(trials, 2)
    assert (trials.rollout["reason"], trials.rollout["heldWithoutData"]) == ("NoTraffic", True)
    trials.data = "Measured"
    look(trials, 2)
    assert trials.rollout["phase"] == "Analysing"
    trials.now += TEN_MINUTES
    look(trials)
    assert trials.rollout["phase"] == "Inconclusive"


def test_time_in_which_prometheus_was_away_does_not_count() -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "10m", "steps": [10]})))
    trials.blind = timedelta(minutes=8)
    trials.now += timedelta(minutes=12)
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
    trials.now += timedelta(minutes=5)
    look(trials, 2)
    assert trials.rollout["phase"] == "Analysing", "it was missed anew"
    trials.now += timedelta(minutes=5)
    trials.settle()
    because = rejection_of(trials.observed, 2)
    assert because is not None
    assert because.reason == "CanaryMissing"


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


# What serves is broken


def test_a_good_canary_is_not_held_back_by_what_is_broken() -> None:
    trials = analysed(changed(served(2)))
    trials.crashing |= pods_of(trials.observed, 1)
    look(trials, 5)
    assert trials.rollout["phase"] == "Analysing"
    trials.now += timedelta(minutes=1)
    trials.until_phase("Idle")
    assert trials.of(1) is None


def test_pods_that_are_on_their_way_back_have_as_long_as_a_canary_has() -> None:
    trials = analysed(changed(served(2, progressDeadline="10m", canary={"steps": [10]})))
    fallen_silent(trials, 1)
    look(trials, 2)
    trials.now += timedelta(minutes=9)
    look(trials, 2)
    assert trials.rollout["phase"] == "Analysing", "a node was drained: no reason to promote what is not proven"
    trials.now += timedelta(minutes=1)
    trials.until_phase("Idle")
    assert trials.of(1) is None


def test_what_is_broken_gives_its_gpu_to_the_canary_even_if_it_is_the_last() -> None:
    trials = served(1, gpus=1)
    trials.crashing |= pods_of(trials.observed, 1)
    look(trials, 2)
    changed(trials)
    look(trials, 2)
    trials.now += timedelta(minutes=1)
    trials.until_phase("Idle")
    assert trials.of(1) is None
    assert trials.observed.ready == 1


def test_a_canary_that_alone_answers_stays_until_another_pod_does() -> None:
    trials = analysed(changed(served(2)))
    fallen_silent(trials, 1)
    look(trials, 2)
    trials.decision = "Rollback"
    look(trials, 4)
    assert trials.observed.ready == 1
    trials.unready.clear()
    trials.settle()
    assert trials.rollout["phase"] == "RolledBack"
    assert trials.of(2) is None


def test_a_minimum_that_is_raised_beside_a_canary_is_met_at_once() -> None:
    trials = analysed(changed(served(2)))
    spec = trials.observed.owner.spec
    trials.change({**spec, "scaling": {**spec["scaling"], "minReplicas": 5}})
    look(trials, 3)
    assert len(pods_of(trials.observed, 1)) == 5
    assert trials.of(2) is not None


def test_a_rejection_says_what_the_pods_showed() -> None:
    trials = changed(served(2))
    trials.broken.add("pvc://models/v2")
    look(trials, 3)
    canary = trials.of(2)
    assert canary is not None
    ended = make_pod(canary.revision, restarts=2, last_exit_code=1, last_exit_message="no config.json")
    workloads = {**trials.observed.workloads, canary.revision: replace(canary, pods=(ended,))}
    trials.observed = replace(trials.observed, workloads=workloads)
    trials.decision = "Rollback"
    trials.carry_out(trials.plan())
    because = rejection_of(trials.observed, 2)
    assert because is not None
    assert "no config.json" in because.message


# What is lost


@pytest.mark.parametrize("phase", ["Surging", "Analysing", "Promoting", "RollingBack", "RolledBack", "Inconclusive"])
def test_a_status_that_is_lost_loses_no_pod_and_no_decision(phase: str) -> None:
    trials = changed(served(4, canary={"maxDuration": "5m"}))
    ends_well = phase in ("Surging", "Analysing", "Promoting", "Inconclusive")
    trials.decision = "Undecided" if phase == "Inconclusive" else "Promote" if ends_well else "Rollback"
    trials.until_phase(phase)
    canary, stable = pods_of(trials.observed, 2), pods_of(trials.observed, 1)
    owner = trials.observed.owner
    trials.observed = replace(trials.observed, owner=replace(owner, status={}))
    trials.decision = "Promote" if ends_well else "Undecided"
    states = trials.until(lambda trials: trials.rollout["phase"] == ("Idle" if ends_well else "RolledBack"))
    assert min(state.ready for state in states) >= 4
    assert (canary if ends_well else stable) <= pods_of(trials.observed, 2 if ends_well else 1)


def test_a_stable_deployment_that_is_deleted_beside_a_canary_comes_back() -> None:
    trials = analysed(changed(served(3)))
    stable = trials.of(1)
    assert stable is not None
    gone = ObjectKey("apps/v1", "Deployment", stable.name)
    children = {key: live for key, live in trials.observed.children.items() if key != gone}
    trials.store(children)
    look(trials, 6)
    assert len(pods_of(trials.observed, 1)) == 3
    assert trials.rollout["phase"] == "Analysing"


def test_a_first_revision_that_fails_keeps_its_pods_and_says_so() -> None:
    trials = Trials(canary_spec(1, 2, progressDeadline="10m"))
    trials.broken.add("pvc://models/v1")
    look(trials, 4)
    trials.now += 2 * TEN_MINUTES
    look(trials, 2)
    assert stalled(trials) == ("True", "ProgressDeadlineExceeded")
    assert len(pods_of(trials.observed, 1)) == 2


def test_a_pod_that_waits_for_its_image_shows_what_it_lacks() -> None:
    trials = changed(served(1))
    trials.broken.add("pvc://models/v2")
    look(trials, 3)
    canary = trials.of(2)
    assert canary is not None
    known = Milestones(created=trials.now, scheduled=trials.now)
    waiting = make_pod(canary.revision, waiting_reason="ErrImagePull", waiting_message="no such", milestones=known)
    workloads = {**trials.observed.workloads, canary.revision: replace(canary, pods=(waiting,))}
    trials.observed = replace(trials.observed, workloads=workloads)
    plan = trials.reconcile()
    assert plan.status is not None
    assert condition(trials.observed, "Ready")["reason"] == "ImagePullFailed"
