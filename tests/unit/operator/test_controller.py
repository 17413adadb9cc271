"""One reconcile from end to end, and what is told of one that fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import NOW, POLICY, make_spec
from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.access import Access
from plimsoll_operator.cluster.compatibility import SCHEMA_PATH, InstalledCrd, needed_fields
from plimsoll_operator.cluster.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    KubeError,
    RefusedError,
    SchemaTooOldError,
    UnavailableError,
)
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.cluster.observe import Key, Observer
from plimsoll_operator.controller import LOOK_AGAIN, TELL_AFTER, Controller, reason_of
from plimsoll_operator.standstill import CRD_LOOK
from plimsoll_operator.telemetry import Telemetry
from plimsoll_operator.workqueue import Failure
from scripted_apiserver import Answer, ScriptedApiserver, ok, refusal, scripted_apiserver

KEY = Key("guardrails", "domains")
OWNED = {"uid": "uid-1", "controller": True}
SERVICE = kinds.SERVICE.path(*KEY)
METADATA = {"namespace": "guardrails", "name": "domains", "uid": "uid-1", "generation": 1, "resourceVersion": "42"}
OWNER = kinds.INFERENCE_DEPLOYMENT.path("guardrails", "domains")


@pytest.fixture
async def apiserver() -> AsyncIterator[ScriptedApiserver]:
    """Holds an InferenceDeployment that nobody has looked at, and nothing else."""
    async with scripted_apiserver() as server:
        server.answer(f"GET {OWNER}", ok({"metadata": METADATA, "spec": make_spec()}))
        for kind in (*kinds.CHILDREN, kinds.POD):
            server.answer(f"GET {kind.path('guardrails')}", ok({"items": [], "metadata": {}}))
            server.answer(f"GET {kind.path('guardrails', 'domains')}", refusal(404, "NotFound", "not found"))
        profiles = "nvidia-l4: {memory: 23034Mi, resourceName: nvidia.com/gpu}"
        server.answer(f"GET {kinds.CONFIG_MAP.path('system', 'profiles')}", ok({"data": {"profiles.yaml": profiles}}))
        server.answer(f"GET {SCHEMA_PATH}", ok(schema_of(*needed_fields())))
        yield server


def schema_of(*fields: str) -> dict[str, Any]:
    """An OpenAPI document that declares these fields of the kind."""
    schema: dict[str, Any] = {"x-kubernetes-group-version-kind": [{"kind": "InferenceDeployment"}], "properties": {}}
    for path in fields:
        below = schema
        for name in path.replace("[]", ".[]").replace("{}", ".{}").split("."):
            if name == "[]":
                below = below.setdefault("items", {})
            elif name == "{}":
                below = below.setdefault("additionalProperties", {})
            else:
                below = below.setdefault("properties", {}).setdefault(name, {})
    return {"components": {"schemas": {"of the kind": schema}}}


def conditions_told(apiserver: ScriptedApiserver) -> dict[str, dict[str, str]]:
    """The conditions of the status that was written last, by type."""
    written = [request.body["status"] for request in apiserver.requests if request.path == f"{OWNER}/status"]
    return {condition["type"]: condition for condition in written[-1]["conditions"]}


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
async def controller(apiserver: ScriptedApiserver, telemetry: Telemetry, tmp_path: Path) -> AsyncIterator[Controller]:
    apiserver.write_kubeconfig(tmp_path / "kubeconfig")
    async with Kube(Access(str(tmp_path / "kubeconfig")), timedelta(seconds=5), telemetry.wrote) as kube:
        crd = InstalledCrd(kube)
        crd.known.set()
        yield Controller(kube, Observer(kube, "system", "profiles"), crd, POLICY, telemetry, lambda: NOW)


async def test_a_new_object_gets_its_children_and_then_its_status(
    apiserver: ScriptedApiserver, controller: Controller, telemetry: Telemetry
) -> None:
    await controller.work(KEY)
    writes = [request.path for request in apiserver.requests if request.method == "PATCH"]
    assert kinds.SERVICE.path("guardrails", "domains") in writes
    assert writes[-1] == f"{OWNER}/status"
    assert 'plimsoll_operator_writes_total{kind="Service",verb="apply"} 1.0' in telemetry.page().body.decode()


async def test_an_object_that_is_gone_is_done_with(apiserver: ScriptedApiserver, controller: Controller) -> None:
    apiserver.answer(f"GET {OWNER}", refusal(404, "NotFound", "gone"))
    assert await controller.work(KEY) is None


async def test_an_object_that_goes_away_meanwhile_is_done_with(
    apiserver: ScriptedApiserver, controller: Controller
) -> None:
    apiserver.answer(f"PATCH {OWNER}/status", refusal(404, "NotFound", "gone"))
    assert await controller.work(KEY) is None


async def test_an_object_that_changes_meanwhile_is_looked_at_again(
    apiserver: ScriptedApiserver, controller: Controller
) -> None:
    apiserver.answer(f"PATCH {OWNER}/status", refusal(409, "Conflict", "the object has been modified"))
    assert await controller.work(KEY) == LOOK_AGAIN


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(403, "Forbidden", "not allowed"), ForbiddenError),
        (refusal(422, "Invalid", "not allowed"), InvalidError),
        (refusal(400, "", 'admission webhook "policy" denied the request: not allowed'), RefusedError),
        (refusal(418, "", "not allowed"), RefusedError),
    ],
    ids=["a right or a quota", "validation", "a webhook without a code", "a webhook with a code of its own"],
)
async def test_a_write_that_is_refused_fails_the_reconcile_and_the_object_says_so_at_once(
    apiserver: ScriptedApiserver, controller: Controller, answer: Answer, error: type[KubeError]
) -> None:
    apiserver.answer(f"PATCH {SERVICE}", answer)
    with pytest.raises(error):
        await controller.work(KEY)
    told = conditions_told(apiserver)["Stalled"]
    assert (told["status"], told["reason"]) == ("True", "WriteRefused")
    assert "not allowed" in told["message"]


def webhook_down(port: int = 1) -> Answer:
    words = f'failed calling webhook "policy": read tcp 10.0.0.7:{port}->10.0.0.9:443: connection reset by peer'
    return refusal(500, "InternalError", words)


async def fail(controller: Controller, times: int) -> None:
    for _ in range(times):
        with pytest.raises(UnavailableError):
            await controller.work(KEY)


async def test_a_write_that_fails_for_long_is_told_with_its_cause(
    apiserver: ScriptedApiserver, controller: Controller
) -> None:
    apiserver.answer(f"PATCH {SERVICE}", webhook_down())
    await fail(controller, TELL_AFTER - 1)
    assert f"PATCH {OWNER}/status" not in apiserver.asked(), "what passes by itself is nobody's business"
    await fail(controller, 1)
    told = conditions_told(apiserver)
    assert (told["Reconciling"]["status"], told["Reconciling"]["reason"]) == ("True", "WriteFailing")
    assert told["Stalled"]["status"] == "False"
    assert 'failed calling webhook "policy"' in told["Ready"]["message"]


async def test_a_failure_that_differs_in_its_numbers_is_told_once(
    apiserver: ScriptedApiserver, controller: Controller
) -> None:
    """A status that is written wakes the operator: with another port each time it would never rest."""
    apiserver.answer(f"PATCH {SERVICE}", webhook_down())
    await fail(controller, TELL_AFTER)
    [told] = [request.body["status"] for request in apiserver.requests if request.path == f"{OWNER}/status"]
    apiserver.answer(f"GET {OWNER}", ok({"metadata": METADATA, "spec": make_spec(), "status": told}))
    apiserver.answer(f"PATCH {SERVICE}", webhook_down(port=2))
    await fail(controller, 2)
    assert apiserver.asked().count(f"PATCH {OWNER}/status") == 1


async def test_failures_with_a_success_between_them_are_not_told(
    apiserver: ScriptedApiserver, controller: Controller
) -> None:
    for _ in range(2):
        apiserver.answer(f"PATCH {SERVICE}", *[webhook_down()] * (TELL_AFTER - 1), ok({}))
        await fail(controller, TELL_AFTER - 1)
        await controller.work(KEY)
        assert conditions_told(apiserver)["Ready"]["reason"] == "Starting"


async def test_an_event_that_cannot_be_posted_for_long_does_not_silence_the_status(
    apiserver: ScriptedApiserver, controller: Controller
) -> None:
    apiserver.answer(f"POST {kinds.EVENT.path('guardrails')}", webhook_down())
    await fail(controller, TELL_AFTER - 1)
    await controller.work(KEY)
    assert conditions_told(apiserver)["Ready"]["reason"] == "Starting"


async def test_a_damaged_revision_is_told_and_nothing_else_is_written(
    apiserver: ScriptedApiserver, controller: Controller
) -> None:
    metadata = {"name": "domains-abc", "ownerReferences": [OWNED], "creationTimestamp": "2026-05-04T03:00:00Z"}
    damaged = {"metadata": metadata, "revision": 1, "data": {"input": {}}}
    apiserver.answer(f"GET {kinds.CONTROLLER_REVISION.path('guardrails')}", ok({"items": [damaged], "metadata": {}}))
    await controller.work(KEY)
    assert [request.path for request in apiserver.requests if request.method == "PATCH"] == [f"{OWNER}/status"]
    told = conditions_told(apiserver)["Stalled"]
    assert (told["status"], told["reason"]) == ("True", "RevisionUnreadable")
    assert "ControllerRevision domains-abc" in told["message"]


async def test_a_crd_that_went_back_since_it_was_looked_at_is_found_out_before_anything_is_written(
    apiserver: ScriptedApiserver, controller: Controller
) -> None:
    older = [field for field in needed_fields() if field != "spec.server.tlsSecret"]
    apiserver.answer(f"GET {SCHEMA_PATH}", ok(schema_of(*older)))
    assert await controller.work(KEY) == CRD_LOOK
    assert [request.path for request in apiserver.requests if request.method == "PATCH"] == [f"{OWNER}/status"]
    assert "spec.server.tlsSecret" in conditions_told(apiserver)["Stalled"]["message"]


LABELS = {"plimsoll.dev/name": "domains", "plimsoll.dev/revision": "old"}
RUNNING = {
    "metadata": {"name": "domains-old", "uid": "uid-old", "labels": LABELS, "ownerReferences": [OWNED]},
    "spec": {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": {}},
}


@pytest.mark.parametrize(("acted_on", "looks"), [(1, 2), (0, 1)], ids=["as it was", "written since"])
async def test_a_spec_that_nobody_wrote_is_looked_at_twice_before_it_gets_a_new_revision(
    apiserver: ScriptedApiserver,
    controller: Controller,
    monkeypatch: pytest.MonkeyPatch,
    acted_on: int,
    looks: int,
) -> None:
    monkeypatch.setattr("plimsoll_operator.controller.UNWRITTEN", timedelta(0))
    told = {"observedGeneration": acted_on}
    apiserver.answer(f"GET {OWNER}", ok({"metadata": METADATA, "spec": make_spec(), "status": told}))
    apiserver.answer(f"GET {kinds.DEPLOYMENT.path('guardrails')}", ok({"items": [RUNNING], "metadata": {}}))
    await controller.work(KEY)
    assert apiserver.asked().count(f"GET {OWNER}") == looks


@pytest.mark.parametrize(
    "answer",
    [webhook_down(), refusal(404, "NotFound", "no"), ok({"components": {"schemas": {}}})],
    ids=["away", "no CRD", "not published"],
)
async def test_nothing_is_written_while_the_schema_cannot_be_read(
    apiserver: ScriptedApiserver, controller: Controller, answer: Answer
) -> None:
    apiserver.answer(f"GET {SCHEMA_PATH}", answer)
    with pytest.raises(KubeError):
        await controller.work(KEY)
    assert not [request for request in apiserver.requests if request.method != "GET"]


async def test_a_refusal_is_not_hidden_by_an_object_that_changes_meanwhile(
    apiserver: ScriptedApiserver, controller: Controller
) -> None:
    apiserver.answer(f"PATCH {kinds.SERVICE.path('guardrails', 'domains')}", refusal(403, "Forbidden", "not allowed"))
    apiserver.answer(f"PATCH {OWNER}/status", refusal(409, "Conflict", "the object has been modified"))
    with pytest.raises(ForbiddenError):
        await controller.work(KEY)


async def test_under_an_older_crd_only_the_status_is_written_and_the_object_is_looked_at_again(
    apiserver: ScriptedApiserver, controller: Controller
) -> None:
    controller.crd.missing = ("spec.server.tlsSecret",)
    assert await controller.work(KEY) == CRD_LOOK
    [told] = [request for request in apiserver.requests if request.method == "PATCH"]
    assert told.path == f"{OWNER}/status"
    reasons = {condition["type"]: condition["reason"] for condition in told.body["status"]["conditions"]}
    assert reasons["Stalled"] == "CRDOutdated"
    assert "spec.server.tlsSecret" in told.body["status"]["conditions"][0]["message"]


async def test_a_status_that_the_crd_does_not_declare_is_told_in_words_that_it_does(
    apiserver: ScriptedApiserver, controller: Controller
) -> None:
    undeclared = (500, {"kind": "Status", "message": ".status.new: field not declared in schema"})
    apiserver.answer(f"PATCH {OWNER}/status", undeclared, ok({}))
    with pytest.raises(SchemaTooOldError):
        await controller.work(KEY)
    told = [request.body["status"] for request in apiserver.requests if request.path == f"{OWNER}/status"][-1]
    assert {condition["reason"] for condition in told["conditions"]} == {"CRDOutdated"}
    assert f"GET {SCHEMA_PATH}" in apiserver.asked(), "the other objects' children are still written"


async def test_nothing_is_decided_before_it_is_known_what_the_crd_declares(
    apiserver: ScriptedApiserver, controller: Controller
) -> None:
    controller.crd.known.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(controller.work(KEY), 0.2)
    assert apiserver.requests == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConflictError("x"), "Conflict"),
        (UnavailableError("x"), "Unavailable"),
        (TimeoutError(), "DeadlineExceeded"),
        (KeyError("spec"), "Internal"),
    ],
)
async def test_a_failure_is_counted_under_its_reason_and_told_once(
    controller: Controller, telemetry: Telemetry, caplog: pytest.LogCaptureFixture, error: Exception, reason: str
) -> None:
    assert reason_of(error) == reason
    controller.report(Failure(KEY, error, count=2, delay=1.0))
    assert f'reconcile_errors_total{{reason="{reason}"}} 1.0' in telemetry.page().body.decode()
    [record] = caplog.records
    assert (record.__dict__["object"], record.__dict__["reason"]) == ("guardrails/domains", reason)
    assert record.getMessage() == f"reconcile failed, attempt 2, next in 1.0 s: {str(error) or 'TimeoutError'}"


async def test_only_a_bug_is_an_error_with_a_traceback(
    controller: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    controller.report(Failure(KEY, KeyError("spec"), count=1, delay=1.0))
    controller.report(Failure(KEY, ConflictError("x"), count=1, delay=1.0))
    bug, answer = caplog.records
    assert (bug.levelno, bool(bug.exc_info)) == (logging.ERROR, True)
    assert (answer.levelno, bool(answer.exc_info)) == (logging.WARNING, False)
