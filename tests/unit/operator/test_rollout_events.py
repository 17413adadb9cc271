"""The Events of a rollout: each turn once, with the revision, the figures and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from plimsoll_operator.rollout_events import rollout_events
from trials import CANARY, STABLE, make_object

BECAUSE = {"reason": "MoreErrors", "message": "errors 4.1 % of 820 canary requests against 0.12 % of 7,910 on stable"}
KEPT = {"revisions": [{"hash": CANARY}, {"hash": STABLE}]}
REJECTED = {"revisions": [{"hash": CANARY, "rejected": BECAUSE, "askedFor": True}, {"hash": STABLE}]}
GIVEN_UP = {"revisions": [{"hash": CANARY, "rejected": BECAUSE, "askedFor": False}, {"hash": STABLE}]}
STARTED = {"startedAt": "2026-05-04T03:00:00Z"}


def status(phase: str, more: dict[str, Any] | None = None, **rollout: Any) -> dict[str, Any]:
    """Under way since the same moment, unless said otherwise."""
    found: dict[str, Any] = make_object(phase, more, **{**STARTED, **rollout})["status"]
    return found


TURNS = {
    "a rollout begins": (status("Idle", startedAt=""), status("Surging"), [("Normal", "RolloutStarted", CANARY)]),
    "the comparison begins": (status("Surging"), status("Analysing", step=1), []),
    "the next step": (status("Analysing", step=1), status("Analysing", step=2), []),
    "no harm": (
        status("Analysing"),
        status("Promoting", stable=CANARY, canary="", message=f"revision {CANARY} is promoted: no worse than stable"),
        [("Normal", "Promoted", f"revision {CANARY} is promoted: no worse than stable")],
    ),
    "harm": (
        status("Analysing", KEPT),
        status("RollingBack", REJECTED),
        [("Warning", "RolledBack", f"revision {CANARY} was taken back, MoreErrors: errors 4.1 % of 820")],
    ),
    "its pods are gone": (status("RollingBack", REJECTED), status("RolledBack", REJECTED, canary=""), []),
    "harm, and no pod was left": (
        status("Surging", KEPT),
        status("RolledBack", REJECTED, canary=""),
        [("Warning", "RolledBack", "kubectl plimsoll retry")],
    ),
    "a restart did harm": (
        status("Analysing", KEPT),
        status("RollingBack", REJECTED, restart=True),
        [("Warning", "RolledBack", "kubectl plimsoll abort leaves the restart at that, or kubectl plimsoll retry")],
    ),
    "a restart was given up": (
        status("Analysing", KEPT),
        status("RollingBack", GIVEN_UP),
        [("Warning", "RolledBack", "on stable. kubectl plimsoll explain has the figures")],
    ),
    "gone back to by request": (
        status("Idle", KEPT, canary=""),
        status("RollingBack", REJECTED, canary=""),
        [("Warning", "RolledBack", f"revision {CANARY} was taken back")],
    ),
    "taken back in git": (status("Analysing", KEPT), status("RollingBack", KEPT, canary=""), []),
    "a lost status": ({}, status("RolledBack", {**REJECTED}, canary="", startedAt=""), []),
    "paused in the middle": (status("Analysing"), status("Paused"), [("Normal", "CanaryPaused", "as Paused says")]),
    "paused before it began": (status("Idle"), status("Paused"), []),
    "nothing new": (status("Promoting"), status("Promoting"), []),
}


@pytest.mark.parametrize(("before", "now", "expected"), TURNS.values(), ids=TURNS.keys())
def test_each_turn_of_a_rollout_is_told_once(
    before: dict[str, Any], now: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    told = list(rollout_events(now, before))
    assert [(event.type, event.reason) for event in told] == [(kind, reason) for kind, reason, _ in expected]
    for event, (_, _, words) in zip(told, expected, strict=True):
        assert words in event.message
