"""`status.rollout.decidedAt`: the moment at which a canary was promoted or taken back, whoever decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from canaries import Trials, analysed, changed, later, look, served
from plimsoll_operator.conditions import timestamp


@pytest.fixture
def canary() -> Trials:
    return analysed(changed(served(3)))


def decided_by(canary: Trials, decision: str) -> None:
    if decision in ("promote", "abort"):
        canary.request(f"{decision}#1")
    else:
        canary.decision = "Rollback"


@pytest.mark.parametrize("decision", ["Rollback", "abort", "promote"])
def test_the_moment_of_the_decision_is_kept_while_the_pods_follow_and_afterwards(canary: Trials, decision: str) -> None:
    assert "decidedAt" not in canary.rollout
    decided_by(canary, decision)
    decided = timestamp(later(canary, timedelta(minutes=3)))
    look(canary)
    assert canary.rollout["decidedAt"] == decided
    canary.settle()
    later(canary, timedelta(hours=1))
    look(canary)
    assert canary.rollout["decidedAt"] == decided


def test_while_the_next_canary_runs_nothing_is_decided(canary: Trials) -> None:
    decided_by(canary, "Rollback")
    canary.settle()
    canary.decision = "Undecided"
    analysed(changed(canary, 3))
    assert "decidedAt" not in canary.rollout


def test_what_was_rejected_long_ago_and_is_asked_for_again_was_decided_then(canary: Trials) -> None:
    decided_by(canary, "Rollback")
    canary.settle()
    decided = canary.rollout["decidedAt"]
    for version in (1, 2):
        later(canary, timedelta(hours=1))
        changed(canary, version).settle()
    assert canary.rollout["phase"] == "RolledBack"
    assert canary.rollout["decidedAt"] == decided


@pytest.mark.parametrize("gone_back_to", ["", "@named"], ids=["the one before", "a named one"])
def test_a_rollback_by_request_is_a_decision_of_its_own(canary: Trials, gone_back_to: str) -> None:
    before = canary.rollout["stable"]
    decided_by(canary, "promote")
    canary.settle()
    promoted = canary.rollout["decidedAt"]
    asked = timestamp(later(canary, timedelta(days=4)))
    canary.request(f"rollback{gone_back_to and f'@{before}'}#2")
    canary.settle()
    assert canary.rollout["phase"] == "RolledBack"
    assert promoted != canary.rollout["decidedAt"] == asked


def test_a_lost_status_is_no_decision(canary: Trials) -> None:
    decided_by(canary, "promote")
    canary.settle()
    canary.observed = replace(canary.observed, owner=replace(canary.observed.owner, status={}))
    look(canary)
    assert "decidedAt" not in canary.rollout
