"""What Argo CD makes of an InferenceDeployment: the scripts that we ship, run as Argo CD runs them."""

from __future__ import annotations

from typing import Any

import pytest

from argo_lua import HEALTH_SCRIPT, after_action, all_actions, argo_health, customization, offered_actions
from conditions_page import TABLE
from plimsoll_operator.names import ANNOTATION_REQUEST
from plimsoll_operator.requests import VERBS, parse_request
from reason_scenarios import SCENARIOS, status_of
from trials import CANARY, make_object

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
    "RollingBack": set(),
    "RolledBack": {"retry"},
    "Paused": {"promote", "abort", "resume"},
    "Inconclusive": {"promote", "abort"},
    "Progressing": set(),
}
WITHOUT_CANARY = ("Idle", "Promoting", "RolledBack")


def in_phase(phase: str) -> dict[str, Any]:
    return make_object(phase, **(STABLE_ONLY if phase in WITHOUT_CANARY else {}))


@pytest.mark.parametrize("phase", OFFERED)
def test_each_phase_offers_what_can_be_done_in_it(phase: str) -> None:
    assert offered_actions(in_phase(phase)) == OFFERED[phase]


def test_a_restart_that_was_taken_back_can_be_left() -> None:
    assert offered_actions(make_object("RolledBack", restart=True, **STABLE_ONLY)) == {"retry", "rollback"}


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
