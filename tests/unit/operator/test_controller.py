"""One reconcile from end to end, and what is told of one that fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from builders import NOW, POLICY, make_spec
from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.access import Access
from plimsoll_operator.cluster.compatibility import SCHEMA_PATH, InstalledCrd
from plimsoll_operator.cluster.errors import ConflictError, ForbiddenError, SchemaTooOldError, UnavailableError
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.cluster.observe import Key, Observer
from plimsoll_operator.cluster.parse import UnreadableObjectError
from plimsoll_operator.controller import LOOK_AGAIN, Controller, reason_of
from plimsoll_operator.standstill import CRD_LOOK
from plimsoll_operator.telemetry import Telemetry
from plimsoll_operator.workqueue import Failure
from scripted_apiserver import ScriptedApiserver, ok, refusal, scripted_apiserver

KEY = Key("guardrails", "domains")
OWNER = kinds.INFERENCE_DEPLOYMENT.path("guardrails", "domains")


@pytest.fixture
async def apiserver() -> AsyncIterator[ScriptedApiserver]:
    """Holds an InferenceDeployment that nobody has looked at, and nothing else."""
    metadata = {"namespace": "guardrails", "name": "domains", "uid": "uid-1", "generation": 1, "resourceVersion": "42"}
    async with scripted_apiserver() as server:
        server.answer(f"GET {OWNER}", ok({"metadata": metadata, "spec": make_spec()}))
        for kind in (*kinds.CHILDREN, kinds.POD):
            server.answer(f"GET {kind.path('guardrails')}", ok({"items": [], "metadata": {}}))
            server.answer(f"GET {kind.path('guardrails', 'domains')}", refusal(404, "NotFound", "not found"))
        profiles = "nvidia-l4: {memory: 23034Mi, resourceName: nvidia.com/gpu}"
        server.answer(f"GET {kinds.CONFIG_MAP.path('system', 'profiles')}", ok({"data": {"profiles.yaml": profiles}}))
        yield server


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


async def test_a_write_that_is_refused_fails_the_reconcile(
    apiserver: ScriptedApiserver, controller: Controller
) -> None:
    apiserver.answer(f"PATCH {kinds.SERVICE.path('guardrails', 'domains')}", refusal(403, "Forbidden", "not allowed"))
    with pytest.raises(ForbiddenError):
        await controller.work(KEY)
    assert f"PATCH {OWNER}/status" in apiserver.asked(), "the object does not say that it is stalled"


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
        (UnreadableObjectError("x"), "UnreadableObject"),
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
