"""A canary beside what is broken, and what is lost around it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import make_pod
from canaries import (
    Trials,
    analysed,
    canary_spec,
    changed,
    fallen_silent,
    later,
    look,
    pods_of,
    rejection_of,
    served,
    stalled,
    watched,
)
from plimsoll_operator.observed import Milestones, ObjectKey
from rollouts import condition

TEN_MINUTES = timedelta(minutes=10)


# What serves is broken
def test_a_good_canary_is_not_held_back_by_what_is_broken() -> None:
    trials = analysed(changed(served(2)))
    trials.crashing |= pods_of(trials.observed, 1)
    look(trials, 5)
    assert trials.rollout["phase"] == "Analysing"
    trials.now += timedelta(minutes=1)
    trials.until_phase("Idle")
    assert trials.of(1) is None


@pytest.mark.parametrize(("apart", "phase"), [(30, "Analysing"), (90, "Promoting")])
def test_after_an_outage_of_both_a_canary_that_is_back_first_has_to_stand(apart: float, phase: str) -> None:
    trials = analysed(changed(served(3, canary={"steps": [10]})))
    stable = pods_of(trials.observed, 1)
    trials.crashing |= stable | pods_of(trials.observed, 2)
    for _ in range(5):
        look(trials)
        trials.now += timedelta(seconds=15)
    trials.crashing = set(stable)
    look(trials, 2)
    assert trials.rollout["phase"] == "Analysing", "a shared outage says nothing for it"
    watched(trials, timedelta(seconds=apart))
    trials.crashing = set() if phase == "Analysing" else trials.crashing
    look(trials)
    assert trials.rollout["phase"] == phase


def test_pods_that_are_on_their_way_back_have_as_long_as_a_canary_has() -> None:
    trials = analysed(changed(served(2, progressDeadline="10m", canary={"steps": [10]})))
    fallen_silent(trials, 1)
    look(trials, 2)
    watched(trials, timedelta(minutes=9))
    look(trials, 2)
    assert trials.rollout["phase"] == "Analysing", "a node was drained: no reason to promote what is not proven"
    watched(trials, timedelta(minutes=1))
    trials.until_phase("Idle")
    assert trials.of(1) is None


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)], ids=["an hour on", "an hour back"])
def test_a_clock_that_jumps_promotes_no_canary_where_what_serves_only_loads(jump: timedelta) -> None:
    trials = watched(analysed(changed(served(1, progressDeadline="10m"))), timedelta(minutes=3))
    fallen_silent(trials, 1)
    look(trials)
    later(trials, jump)
    look(trials, 3)
    assert trials.rollout["phase"] == "Analysing"
    watched(trials, timedelta(minutes=5))
    assert trials.rollout["phase"] == "Analysing"
    trials.unready.clear()
    look(trials, 2)
    assert "outageSince" not in trials.rollout


def test_a_clock_that_jumps_promotes_no_canary_that_has_not_stood() -> None:
    trials = analysed(changed(served(3, canary={"steps": [10]})))
    stable = pods_of(trials.observed, 1)
    trials.crashing |= stable | pods_of(trials.observed, 2)
    watched(trials, timedelta(minutes=3))
    trials.crashing = set(stable)
    look(trials)
    later(trials, timedelta(seconds=55))
    look(trials)
    later(trials, timedelta(hours=-2))
    look(trials)
    assert trials.rollout["phase"] == "Analysing"


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
