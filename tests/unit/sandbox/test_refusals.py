"""The reading of an audit log that says whether an operator was refused anything in a whole run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from refusals import Refusal, refusals_in

OPERATOR = "system:serviceaccount:system:plimsoll"
POD = "/api/v1/namespaces/guardrails/pods/domains-1"


def event(code: int = 403, verb: str = "get", user: str = OPERATOR, **about: str) -> dict[str, Any]:
    return {
        "verb": verb,
        "user": {"username": user},
        "requestURI": POD,
        "objectRef": {"resource": "pods", "namespace": "guardrails", "name": "domains-1", **about},
        "responseStatus": {"code": code, "message": "cannot get resource"},
    }


def admin(verb: str, **about: str) -> dict[str, Any]:
    return event(200, verb, "plimsoll:admin", **about)


RELEASE = {"resource": "deployments", "namespace": "system", "name": "plimsoll"}
GUARDRAILS = {"resource": "namespaces", "namespace": "guardrails", "name": "guardrails"}


@pytest.mark.parametrize(
    ("events", "refused"),
    [
        pytest.param([event(200)], 0, id="allowed"),
        pytest.param([event()], 1, id="refused"),
        pytest.param([event(), event(404), event()], 2, id="twice"),
        pytest.param([event(user="system:serviceaccount:guardrails:default")], 0, id="somebody else"),
        pytest.param([event(namespace="tight")], 0, id="refused on purpose"),
        pytest.param([admin("delete", **RELEASE), event()], 0, id="while it is uninstalled"),
        pytest.param([event(), admin("delete", **RELEASE)], 1, id="before it was uninstalled"),
        pytest.param([admin("delete", **RELEASE), admin("patch", **RELEASE), event()], 1, id="installed again"),
        pytest.param(
            [admin("delete", **RELEASE) | {"responseStatus": {"code": 404}}, event()], 1, id="not uninstalled"
        ),
        pytest.param([admin("delete", **GUARDRAILS), event()], 0, id="in a namespace that goes"),
        pytest.param([admin("delete", **RELEASE | {"namespace": "another"}), event()], 1, id="another is uninstalled"),
    ],
)
def test_a_refusal_counts_unless_it_is_meant(tmp_path: Path, events: list[dict[str, Any]], refused: int) -> None:
    log = tmp_path / "audit.log"
    log.write_text("".join(f"{json.dumps(found, separators=(',', ':'))}\n" for found in events))
    assert refusals_in(log) == [Refusal(OPERATOR, "get", POD, "cannot get resource")] * refused


def test_what_was_rotated_away_counts_too(tmp_path: Path) -> None:
    (tmp_path / "audit-2026-11-21T15-00-00.000.log").write_text(f"{json.dumps(event(), separators=(',', ':'))}\n")
    (tmp_path / "audit.log").write_text("")
    assert len(refusals_in(tmp_path / "audit.log")) == 1
