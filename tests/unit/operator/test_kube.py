"""The client: what it asks the apiserver, and what it makes of the answers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.access import Access, AccessError
from plimsoll_operator.cluster.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    KubeError,
    NamespaceTerminatingError,
    NotFoundError,
    RefusedError,
    SchemaTooOldError,
    UnauthorizedError,
    UnavailableError,
    error_of,
)
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.leases import NotLeadingError, Tenure
from scripted_apiserver import ScriptedApiserver, ok, refusal, scripted_apiserver

SERVICES = "/api/v1/namespaces/guardrails/services"
STATUS = "/apis/plimsoll.dev/v1alpha1/namespaces/guardrails/inferencedeployments/domains/status"


@pytest.fixture
async def apiserver() -> AsyncIterator[ScriptedApiserver]:
    async with scripted_apiserver() as server:
        yield server


@pytest.fixture
def writes() -> list[tuple[str, str]]:
    return []


@pytest.fixture
async def kube(apiserver: ScriptedApiserver, tmp_path: Path, writes: list[tuple[str, str]]) -> AsyncIterator[Kube]:
    kubeconfig = tmp_path / "kubeconfig"
    apiserver.write_kubeconfig(kubeconfig)
    access = Access(str(kubeconfig))
    async with Kube(access, timedelta(seconds=30), lambda kind, verb: writes.append((kind, verb))) as client:
        yield client


@pytest.mark.parametrize(
    ("kind", "arguments", "path"),
    [
        (kinds.SERVICE, ("guardrails", "domains"), f"{SERVICES}/domains"),
        (kinds.SERVICE, ("guardrails",), SERVICES),
        (kinds.DEPLOYMENT, ("guardrails", "d-1", "scale"), "/apis/apps/v1/namespaces/guardrails/deployments/d-1/scale"),
        (kinds.INFERENCE_DEPLOYMENT, (), "/apis/plimsoll.dev/v1alpha1/inferencedeployments"),
        (kinds.POD, ("a/b", "c?d"), "/api/v1/namespaces/a%2Fb/pods/c%3Fd"),
    ],
    ids=["core group", "a namespace", "subresource", "the whole cluster", "names are quoted"],
)
def test_every_kind_has_its_place_in_the_api(kind: kinds.Kind, arguments: tuple[str, ...], path: str) -> None:
    assert kind.path(*arguments) == path


def test_a_kind_that_no_plan_should_hold_is_refused() -> None:
    with pytest.raises(LookupError, match="a plan holds a Secret of v1"):
        kinds.kind_of("v1", "Secret")


@pytest.mark.parametrize(
    ("status", "answer", "error", "says"),
    [
        (*refusal(404, "NotFound", 'services "x" not found'), NotFoundError, 'services "x" not found'),
        (*refusal(409, "Conflict", "the UID does not match"), ConflictError, "the UID does not match"),
        (*refusal(409, "AlreadyExists", "already exists"), ConflictError, "already exists"),
        (*refusal(403, "Forbidden", "cannot patch"), ForbiddenError, "cannot patch"),
        (
            *refusal(403, "Forbidden", "is being terminated", [{"reason": "NamespaceTerminating"}]),
            NamespaceTerminatingError,
            "is being terminated",
        ),
        (*refusal(401, "Unauthorized", "Unauthorized"), UnauthorizedError, "Unauthorized"),
        (*refusal(400, "BadRequest", "bad selector"), RefusedError, "bad selector"),
        (*refusal(410, "Expired", "the token is too old"), UnavailableError, "too old"),
        (*refusal(429, "TooManyRequests", "slow down"), UnavailableError, "slow down"),
        (*refusal(500, "InternalError", "etcd is away"), UnavailableError, "etcd is away"),
        (
            *refusal(500, "", "failed to create typed patch object: .status.loadLine: field not declared in schema"),
            SchemaTooOldError,
            "upgrade the CRD",
        ),
        (503, b"<html>upstream is gone</html>", UnavailableError, "HTTP 503"),
        (418, b"[]", RefusedError, "HTTP 418"),
        (200, b"", UnavailableError, "HTTP 200 with something that is not JSON"),
    ],
)
async def test_an_answer_other_than_success_becomes_the_error_that_says_what_to_do(
    apiserver: ScriptedApiserver, kube: Kube, status: int, answer: Any, error: type[KubeError], says: str
) -> None:
    apiserver.answer(f"GET {SERVICES}/x", (status, answer))
    with pytest.raises(KubeError) as failed:
        await kube.get(kinds.SERVICE, "guardrails", "x")
    assert type(failed.value) is error
    assert str(failed.value).startswith(f"GET {SERVICES}/x: ")
    assert says in str(failed.value)


def test_a_validation_error_names_its_fields() -> None:
    causes = (
        b'{"message": "is invalid", "details": {"causes": [{"field": "spec.ports[0].port"}, {"message": "no field"}]}}'
    )
    error = error_of(422, causes, "PATCH /x")
    assert isinstance(error, InvalidError)
    assert (error.fields, error.reason) == (("spec.ports[0].port",), "Invalid")


def test_a_uid_of_another_object_is_a_conflict_however_the_apiserver_calls_it() -> None:
    answer = b'{"message": "is invalid", "details": {"causes": [{"field": "metadata.uid"}]}}'
    assert isinstance(error_of(422, answer, "PATCH /x"), ConflictError)


async def test_find_answers_none_for_what_is_not_there(apiserver: ScriptedApiserver, kube: Kube) -> None:
    apiserver.answer(f"GET {SERVICES}/x", refusal(404, "NotFound", "not found"))
    assert await kube.find(kinds.SERVICE, "guardrails", "x") is None


async def test_a_list_is_read_page_by_page_and_its_items_say_what_they_are(
    apiserver: ScriptedApiserver, kube: Kube
) -> None:
    first_page = {"items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "more"}}
    last_page = {"items": [{"metadata": {"name": "b"}}], "metadata": {}}
    apiserver.answer(f"GET {SERVICES}", ok(first_page), ok(last_page))
    services = await kube.list_all(kinds.SERVICE, "guardrails", labels="plimsoll.dev/name=domains")
    assert services == [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"}},
    ]
    first, second = (request.query for request in apiserver.requests)
    assert first == {"labelSelector": "plimsoll.dev/name=domains", "limit": "500"}
    assert second == {"labelSelector": "plimsoll.dev/name=domains", "limit": "500", "continue": "more"}


async def test_an_apply_is_server_side_under_one_name_and_by_force(
    apiserver: ScriptedApiserver, kube: Kube, writes: list[tuple[str, str]]
) -> None:
    manifest = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "domains"}}
    await kube.apply(manifest, "guardrails")
    [request] = apiserver.requests
    assert (request.method, request.path, request.body) == ("PATCH", f"{SERVICES}/domains", manifest)
    assert request.query == {"fieldManager": "plimsoll-operator", "force": "true"}
    assert request.headers["Content-Type"] == "application/apply-patch+yaml"
    assert request.headers["User-Agent"] == "plimsoll-operator"
    assert writes == [("Service", "apply")]


async def test_a_write_that_is_refused_is_not_counted(
    apiserver: ScriptedApiserver, kube: Kube, writes: list[tuple[str, str]]
) -> None:
    apiserver.answer(f"PATCH {STATUS}", refusal(409, "Conflict", "another uid"))
    owner = {"apiVersion": "plimsoll.dev/v1alpha1", "kind": "InferenceDeployment", "metadata": {"name": "domains"}}
    with pytest.raises(ConflictError):
        await kube.apply_status(owner, "guardrails")
    assert writes == []


async def test_replicas_are_written_through_the_scale_subresource(apiserver: ScriptedApiserver, kube: Kube) -> None:
    await kube.scale("guardrails", "domains-1", "uid-1", 3)
    [request] = apiserver.requests
    assert request.path == "/apis/apps/v1/namespaces/guardrails/deployments/domains-1/scale"
    assert request.body == {"metadata": {"uid": "uid-1"}, "spec": {"replicas": 3}}
    assert request.headers["Content-Type"] == "application/merge-patch+json"


async def test_a_deletion_names_the_very_object(apiserver: ScriptedApiserver, kube: Kube) -> None:
    await kube.delete(kinds.SERVICE, "guardrails", "domains", "uid-7")
    [request] = apiserver.requests
    assert (request.method, request.path) == ("DELETE", f"{SERVICES}/domains")
    assert request.body["preconditions"] == {"uid": "uid-7"}
    assert request.body["propagationPolicy"] == "Background"


async def test_a_request_without_an_answer_ends_at_its_deadline(apiserver: ScriptedApiserver, tmp_path: Path) -> None:
    apiserver.answer(f"GET {SERVICES}/x", (0, {}))
    apiserver.write_kubeconfig(tmp_path / "kubeconfig")
    async with Kube(Access(str(tmp_path / "kubeconfig")), timedelta(seconds=0.5), lambda *_: None) as hurried:
        with pytest.raises(UnavailableError, match=r"no answer within 0\.5 s"):
            await hurried.get(kinds.SERVICE, "guardrails", "x")


async def test_a_closed_fence_keeps_every_request_back_the_moment_before_it_is_sent(
    apiserver: ScriptedApiserver, tmp_path: Path
) -> None:
    tenure = Tenure(time.monotonic)
    tenure.renewed(time.monotonic())
    apiserver.write_kubeconfig(tmp_path / "kubeconfig")
    async with Kube(Access(str(tmp_path / "kubeconfig")), timedelta(seconds=5), lambda *_: None, tenure.check) as kube:
        await kube.scale("guardrails", "domains-1", "uid-1", 3)
        tenure.end()
        writes: list[Callable[[], Awaitable[Any]]] = [
            lambda: kube.scale("guardrails", "domains-1", "uid-1", 4),
            lambda: kube.delete(kinds.SERVICE, "guardrails", "domains", "uid-7"),
            lambda: kube.create(kinds.EVENT, "guardrails", {}),
            lambda: kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}, "guardrails"),
            lambda: kube.get(kinds.SERVICE, "guardrails", "x"),
        ]
        for write in writes:
            with pytest.raises(NotLeadingError, match="not sent: the Lease was renewed never"):
                await write()
    assert [request.body["spec"] for request in apiserver.requests] == [{"replicas": 3}]


async def test_a_fence_that_closes_between_a_request_and_its_body_keeps_both_back(
    apiserver: ScriptedApiserver, tmp_path: Path
) -> None:
    """Where a process is stopped there, and goes on after another has taken its place."""
    asked = 0

    def closes_at_once() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise NotLeadingError("not sent")

    apiserver.write_kubeconfig(tmp_path / "kubeconfig")
    access = Access(str(tmp_path / "kubeconfig"))
    async with Kube(access, timedelta(seconds=5), lambda *_: None, closes_at_once) as kube:
        with pytest.raises(NotLeadingError, match="not sent"):
            await kube.scale("guardrails", "domains-1", "uid-1", 3)
    assert asked == 2
    assert apiserver.requests == []


async def test_an_apiserver_that_is_away_is_unavailable(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    ScriptedApiserver(url="http://127.0.0.1:9").write_kubeconfig(kubeconfig)
    async with Kube(Access(str(kubeconfig)), timedelta(seconds=5), lambda *_: None) as kube:
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:9"):
            await kube.get(kinds.SERVICE, "guardrails", "x")


async def test_refused_credentials_are_read_again_once(
    apiserver: ScriptedApiserver, kube: Kube, tmp_path: Path
) -> None:
    await kube.get(kinds.SERVICE, "guardrails", "x")
    apiserver.write_kubeconfig(tmp_path / "kubeconfig", token="second")
    apiserver.answer(f"GET {SERVICES}/y", refusal(401, "Unauthorized", "expired"), ok({"kind": "Service"}))
    assert await kube.get(kinds.SERVICE, "guardrails", "y") == {"kind": "Service"}
    tokens = [request.headers["Authorization"] for request in apiserver.requests]
    assert tokens == ["Bearer first", "Bearer first", "Bearer second"]


async def test_the_environments_proxies_do_not_count(
    apiserver: ScriptedApiserver, kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert await kube.get(kinds.SERVICE, "guardrails", "x") == {}


@pytest.mark.parametrize("content", [None, "", "[]", "clusters: [}", "kind: Config\nclusters: []\n"])
async def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(AccessError, match=rf"KUBECONFIG={path}: expected a readable kubeconfig"):
        await Access(str(path)).configuration()


async def test_outside_a_pod_and_without_a_kubeconfig_the_error_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(AccessError, match="expected to run in a pod with a service account, or KUBECONFIG set"):
        await Access().configuration()


async def test_credentials_never_show_in_a_log_line(apiserver: ScriptedApiserver, tmp_path: Path) -> None:
    apiserver.write_kubeconfig(tmp_path / "kubeconfig", token="secret")
    credentials = await Access(str(tmp_path / "kubeconfig")).credentials()
    assert credentials.authorization == "Bearer secret"
    assert "secret" not in repr(credentials)
