"""The history: what was taken back is remembered, however many changes came since, up to a bound."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canaries import Trials, analysed, changed, served
from lives import Life, served_life
from plimsoll_operator.observed import Rejection, Revision
from plimsoll_operator.steps.history import REMEMBERED, prune_history

TAKEN_BACK = Rejection("MoreErrors", "12 of 400 requests failed")


@pytest.mark.parametrize(
    ("limit", "others"),
    [
        pytest.param(5, 6, id="more other changes than are kept to return to"),
        pytest.param(0, 1, id="none is kept to return to"),
    ],
)
@pytest.mark.parametrize("lost", [False, True], ids=["with its status", "restored without its status"])
def test_what_was_taken_back_is_not_tried_again_after_other_changes_were(limit: int, others: int, lost: bool) -> None:
    trials = served(3, revisionHistoryLimit=limit, canary={"steps": [10]})
    for version in range(2, 3 + others):
        _taken_back(trials, version)
    if lost:
        Life(trials).lose_status()
    changed(trials, 2)
    trials.settle()
    assert trials.rollout["phase"] == "RolledBack"
    assert trials.of(2) is None


def _taken_back(trials: Trials, version: int) -> None:
    trials.decision = "Undecided"
    analysed(changed(trials, version))
    trials.decision = "Rollback"
    trials.until_phase("RolledBack")
    trials.decision = "Undecided"


def test_the_history_keeps_what_it_may_return_to_and_so_many_that_were_taken_back() -> None:
    assert _kept(served_life(), [TAKEN_BACK] * (REMEMBERED + 3), limit=1) == [
        2,
        3,
        *range(7, 7 + REMEMBERED),
    ]


def test_what_was_superseded_pushes_no_revision_that_served_out_of_the_history() -> None:
    assert _kept(served_life(), [None] * 3, limit=2) == [2, 3, 6]


def _kept(life: Life, later: list[Rejection | None], limit: int) -> list[int]:
    """Numbers of what is left of versions 1 to 3, which served and of which 3 does, and of `later`, which never did."""
    life.change(3, revisionHistoryLimit=limit)
    draft = life.draft()
    idle = [_revision(draft.revisions[0], 4 + place, found) for place, found in enumerate(later)]
    kept = prune_history(replace(draft, revisions=(*idle, *draft.revisions))).revisions
    return sorted(revision.number for revision in kept)


def _revision(like: Revision, number: int, rejected: Rejection | None) -> Revision:
    name = f"r{number}"
    return replace(like, hash=name, name=name, number=number, stable=False, promoted=False, rejected=rejected)
