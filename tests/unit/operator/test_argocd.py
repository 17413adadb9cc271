"""What Argo CD makes of an InferenceDeployment: the scripts that we ship, run as Argo CD runs them."""

from __future__ import annotations

from typing import Any

import pytest

from argo_lua import HEALTH_SCRIPT, after_action, all_actions, argo_health, customization, offered_actions
from conditions_page import TABLE
from plimsoll_operator.names import ANNOTATION_REQUEST
from plimsoll_operator.requests import VERBS, parse_request
from reason_scenarios import SCENARIOS, status_of
from trials import CANARY, make_object, make_rejection

HELD = ("Paused", "Untried", "Frozen", "Inconclusive")
HEALTH: dict[tuple[str, ...], str] = {
    ("True", "False", "False"): "Healthy",
    ("False", "True", "False"): "Progressing",
    ("False", "False", "True"): "Degraded",
}
"""By Ready, Reconciling and Stalled."""

STABLE_ONLY: dict[str, Any] = {"canary": ""}

OFFERED = {
    "Idle": {"restart", "rollback"},
    "Surging": {"abort", "pause"},
    "Analysing": {"promote", "abort", "pause"},
    "Promoting": {"rollback"},
    "RollingBack": {"retry"},
    "RolledBack": {"retry"},
    "Paused": {"promote", "abort", "resume"},
    "Inconclusive": {"promote", "abort"},
    "Progressing": set(),
}
WITHOUT_CANARY = ("Idle", "Promoting", "RolledBack")
TAKEN_BACK = ("RollingBack", "RolledBack")
SERVED = {"hash": "0000000000", "promoted": True, "stable": False, "askedFor": False}
"""A revision to go back to."""


def in_phase(phase: str) -> dict[str, Any]:
    history = {"revisions": [SERVED, *(make_rejection("MoreErrors")["revisions"] if phase in TAKEN_BACK else ())]}
    return make_object(phase, history, **(STABLE_ONLY if phase in WITHOUT_CANARY else {}))


@pytest.mark.parametrize("phase", OFFERED)
def test_each_phase_offers_what_can_be_done_in_it(phase: str) -> None:
    assert offered_actions(in_phase(phase)) == OFFERED[phase]


def test_a_restart_that_was_taken_back_can_be_left() -> None:
    found = make_object("RolledBack", make_rejection("MoreErrors"), restart=True, **STABLE_ONLY)
    assert offered_actions(found) == {"retry", "rollback"}


def held_by(reason: str, *, paused: bool = False, **entry: Any) -> dict[str, Any]:
    found = make_object("Paused", {"revisions": [{"hash": CANARY, "askedFor": True, **entry}]}, reason=reason)
    found["spec"]["rollout"] = {"paused": paused}
    return found


HOLDS = [
    pytest.param(held_by("Paused"), {"promote", "abort", "resume"}, id="a request"),
    pytest.param(held_by("Paused", paused=True), {"promote", "abort"}, id="the spec"),
    pytest.param(held_by("Frozen"), {"promote", "abort"}, id="the chart"),
    pytest.param(held_by("Untried"), {"promote", "abort"}, id="no pods are wanted"),
    pytest.param(held_by("Frozen", promoted=True), {"promote", "abort", "rollback"}, id="of what served before"),
]


@pytest.mark.parametrize(("found", "offered"), HOLDS)
def test_a_hold_is_ended_where_it_is_written(found: dict[str, Any], offered: set[str]) -> None:
    assert offered_actions(found) == offered


def test_a_first_revision_has_none_to_go_back_to() -> None:
    assert offered_actions(make_object("Idle", **STABLE_ONLY)) == {"restart"}


@pytest.mark.parametrize(
    ("last", "offered"),
    [
        pytest.param({"verb": "pause", "outcome": "Accepted"}, {"restart", "resume"}, id="a pause"),
        pytest.param({"verb": "pause", "outcome": "Refused"}, {"restart"}, id="a pause that was refused"),
        pytest.param({"verb": "resume", "outcome": "Accepted"}, {"restart"}, id="its end"),
    ],
)
def test_a_pause_of_rollouts_to_come_can_be_ended(last: dict[str, str], offered: set[str]) -> None:
    assert offered_actions(make_object("Idle", **STABLE_ONLY, lastRequest=last)) == offered


def test_a_change_that_was_taken_back_in_git_is_not_to_be_retried() -> None:
    assert offered_actions(make_object("RollingBack")) == set()


def test_nothing_is_offered_of_an_object_that_no_operator_has_seen() -> None:
    assert offered_actions({"metadata": {"name": "domains"}, "spec": {}}) == set()


def test_every_verb_is_an_action() -> None:
    assert all_actions() == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("annotations", [None, {"team": "guardrails"}], ids=["no annotations", "others' annotations"])
def test_an_action_writes_a_request_that_the_operator_reads(verb: str, annotations: dict[str, str] | None) -> None:
    found = in_phase("Analysing")
    if annotations:
        found["metadata"]["annotations"] = annotations
    changed = after_action(verb, found)
    request = parse_request(changed["metadata"]["annotations"].pop(ANNOTATION_REQUEST))
    assert request.verb == verb
    assert request.id.startswith(f"argocd-{verb}-2")
    assert request.revision == (CANARY if verb in ("promote", "abort", "pause") else "")
    assert changed["metadata"]["annotations"] == (annotations or {})
    assert changed["spec"] == found["spec"], "an action must not touch what GitOps owns"


def test_the_config_map_has_the_health_script_that_is_tested() -> None:
    assert customization("health").strip() == HEALTH_SCRIPT.read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("reason", sorted(SCENARIOS))
def test_the_health_of_each_reason(reason: str) -> None:
    """In the very status that the operator gives with that reason."""
    status = status_of(reason)
    health = "Suspended" if reason in HELD else HEALTH[TABLE[reason][1:]]
    generation = {"generation": status["observedGeneration"]}
    assert argo_health({**make_object("Idle"), "metadata": generation, "status": status}) == health


def test_a_change_that_no_operator_has_seen_is_progressing() -> None:
    assert argo_health(make_object("Idle", {"observedGeneration": 1, "conditions": []})) == "Progressing"
