"""The Events of a rollout: each turn once, with the revision, the figures and what to do."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from builders import make_owner
from canaries import Trials, analysed, changed, look, served
from plimsoll_operator.plan import Event
from plimsoll_operator.rollout_events import rollout_events
from plimsoll_operator.rollout_metrics import RolloutMetrics
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
        [("Warning", "RolledBack", "kubectl plimsoll retry domains -n guardrails")],
    ),
    "a restart did harm": (
        status("Analysing", KEPT),
        status("RollingBack", REJECTED, restart=True),
        [("Warning", "RolledBack", "kubectl plimsoll abort domains -n guardrails leaves the restart at that, or ")],
    ),
    "a restart was given up": (
        status("Analysing", KEPT),
        status("RollingBack", GIVEN_UP),
        [("Warning", "RolledBack", "on stable. kubectl plimsoll explain domains -n guardrails has the figures")],
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
    told = list(rollout_events(now, make_owner(status=before)))
    assert [(event.type, event.reason) for event in told] == [(kind, reason) for kind, reason, _ in expected]
    for event, (_, _, words) in zip(told, expected, strict=True):
        assert words in event.message


def promoted(*versions: int) -> Trials:
    """Version 1 served first, and each of these took the place of the one before it."""
    trials = served(2)
    for number in versions:
        changed(trials, number)
        trials.decision = "Promote"
        look(trials, 3)
        trials.until(lambda trials: trials.rollout["phase"] == "Idle" and len(trials.observed.workloads) == 1)
        trials.decision = "Undecided"
    return trials


def events_of(trials: Trials, request: str) -> list[Event]:
    """Those of the rollout, from the request until it is at rest."""
    trials.request(request)
    told: list[Event] = []
    for _ in range(40):
        plan = trials.reconcile()
        told += [event for event in plan.events if event.reason in ("RolloutStarted", "Promoted", "RolledBack")]
        if plan.writes == 0 and trials.rollout["phase"] == "RolledBack":
            return told
    raise AssertionError(f"not at rest: {trials.rollout}")


def version(trials: Trials, number: int) -> str:
    uri = f"pvc://models/v{number}"
    return next(found.hash for found in trials.observed.revisions if found.input["model"]["uri"] == uri)


def test_what_is_left_by_request_is_told_as_taken_back_and_never_as_begun() -> None:
    trials = promoted(2, 3)
    [event] = events_of(trials, "rollback#x1")
    assert (event.type, event.reason) == ("Warning", "RolledBack")
    assert f"revision {version(trials, 3)} was taken back, RolledBackByRequest" in event.message


def test_what_served_beside_a_canary_that_is_left_with_it_is_not_told_as_begun_either() -> None:
    trials = analysed(changed(promoted(2, 3), 4))
    [event] = events_of(trials, f"rollback@{version(trials, 1)}#x1")
    assert event.reason == "RolledBack"
    assert f"revision {version(trials, 4)} was taken back, RolledBackByRequest" in event.message


def test_what_served_is_no_canary_on_its_way_out_and_its_leaving_is_one_rollout() -> None:
    trials = analysed(changed(promoted(2, 3), 4))
    back, canary = version(trials, 1), version(trials, 4)
    trials.request(f"rollback@{back}#x1")
    states = trials.until_phase("RolledBack")[1:]
    seen = [state.owner.status["rollout"] for state in states]
    assert {rollout["canary"] for rollout in seen} == {canary, ""}
    assert len({rollout["startedAt"] for rollout in seen if "startedAt" in rollout}) == 1


def test_a_rollback_by_request_is_counted_once_and_as_one() -> None:
    trials, registry = promoted(2, 3), CollectorRegistry()
    metrics = RolloutMetrics(registry)
    metrics.told(("guardrails", "domains"), trials.observed.owner.status, events_of(trials, "rollback#x1"))
    counted = {
        outcome: registry.get_sample_value("plimsoll_operator_rollouts_total", {"outcome": outcome})
        for outcome in ("started", "promoted", "rolled_back")
    }
    assert counted == {"started": 0, "promoted": 0, "rolled_back": 1}
