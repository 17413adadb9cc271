"""What `explain` tells once a rollout is over and others follow: of which revision, what became of it, and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from canaries import canary_spec
from interrupted import Interrupted
from measured import Traffic
from plimsoll_operator.cli.explanation.curves import curves_of
from plimsoll_operator.cli.explanation.story import Story, tell
from plimsoll_operator.conditions import moment_of

GOOD, BAD = Traffic(ok=100), Traffic(ok=80, failed=20)
LONG = timedelta(days=4)


def hash_of(cluster: Interrupted, version: int) -> str:
    uri = f"pvc://models/v{version}"
    return next(found.hash for found in cluster.observed.revisions if found.input["model"]["uri"] == uri)


def change_to(cluster: Interrupted, version: int, *phases: str) -> Interrupted:
    cluster.change({**cluster.observed.owner.spec, "model": {"uri": f"pvc://models/v{version}"}})
    for phase in phases:
        cluster.until_phase(phase)
    return cluster


@pytest.fixture
def cluster() -> Interrupted:
    """Version 1 at rest. Version 2 is bad, all others are good."""
    traffic = {f"pvc://models/v{version}": BAD if version == 2 else GOOD for version in range(1, 5)}
    found = Interrupted(canary_spec(1, 3, canary={"steps": [25]}), traffic)
    found.settle()
    found.now += timedelta(hours=1)
    return found


@pytest.fixture
def promoted(cluster: Interrupted) -> Interrupted:
    """Version 3 took version 1's place days ago."""
    change_to(cluster, 3, "Promoting", "Idle").now += LONG
    cluster.reconcile()
    return cluster


def story_of(cluster: Interrupted) -> Story:
    owner = cluster.observed.owner
    metadata = {"name": owner.name, "namespace": owner.namespace, "generation": owner.generation}
    found: dict[str, Any] = {"metadata": metadata, "spec": owner.spec, "status": owner.status}
    return tell(found, [pod for workload in cluster.observed.workloads.values() for pod in workload.pods])


def superseded(cluster: Interrupted) -> Interrupted:
    return change_to(cluster, 4, "Analysing")


def untouched(cluster: Interrupted) -> Interrupted:
    return cluster


@pytest.mark.parametrize("meanwhile", [untouched, superseded], ids=["after a promotion", "in place of a canary"])
def test_what_was_taken_back_and_is_applied_again_is_not_told_by_the_figures_of_another(
    cluster: Interrupted, meanwhile: Callable[[Interrupted], Interrupted]
) -> None:
    change_to(cluster, 2, "RolledBack")
    change_to(cluster, 3, "Promoting", "Idle")
    change_to(meanwhile(cluster), 2, "RolledBack")
    story = story_of(cluster)
    assert (story.verdict, story.trial, story.decided_at) == ("rolled back", None, None)
    assert story.decision.startswith("MoreErrors: errors 20 %")
    assert any("retry domains -n guardrails" in line for line in story.next)


def test_its_own_figures_are_told_as_long_as_they_are_kept(cluster: Interrupted) -> None:
    change_to(cluster, 2, "RolledBack")
    change_to(cluster, 1, "Idle")
    for story in (story_of(cluster), story_of(change_to(cluster, 2, "RolledBack"))):
        assert story.trial
        assert (story.trial.canary, story.trial.outcome) == (hash_of(cluster, 2), "Rollback")
        assert story.decision.startswith("MoreErrors: ")
        assert story.decided_at == story.trial.decided_at is not None


def test_a_rollback_by_request_is_told_at_its_own_moment_beside_figures_that_promoted(promoted: Interrupted) -> None:
    promoted.request("rollback#1")
    asked = promoted.now
    promoted.until_phase("RollingBack")
    for phase in ("RollingBack", "RolledBack"):
        promoted.until_phase(phase)
        story = story_of(promoted)
        assert story.decision.startswith("RolledBackByRequest: ")
        assert story.decided_at == asked
        assert story.trial
        curves = curves_of(story.trial)
        assert curves
        assert (story.trial.outcome, curves.verdict) == ("Rollback", "promoted, taken back later")
        assert curves.end < timedelta(hours=1).total_seconds(), "days without a figure are not drawn"


def test_what_was_promoted_and_has_gone_by_git_is_told_as_promoted_at_its_own_moment(promoted: Interrupted) -> None:
    decided = moment_of(promoted.rollout["decidedAt"])
    change_to(promoted, 1, "Surging")
    story = story_of(promoted)
    assert (story.verdict, story.trial) == ("comes back", None)
    assert "it served before, so it is not compared" in story.next[0]
    promoted.until_phase("Idle")
    story = story_of(promoted)
    assert story.trial
    assert (story.verdict, story.trial.canary, story.trial.outcome) == ("at rest", hash_of(promoted, 3), "Promote")
    assert story.decided_at
    assert decided
    assert story.decided_at <= decided, "not when the other one came back"


def test_a_canary_that_is_taken_back_in_git_is_withdrawn_already_while_its_pods_end(cluster: Interrupted) -> None:
    change_to(cluster, 4, "Analysing")
    cluster.reconcile()
    for phase in ("RollingBack", "Idle"):
        story = story_of(change_to(cluster, 1, phase))
        assert story.trial
        assert story.trial.outcome == "Withdrawn"
