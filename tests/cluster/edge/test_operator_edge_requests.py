"""The client's requests on a real apiserver: what it refuses, and how that reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cluster.edge.conftest import Edge
from cluster.edge.test_operator_edge_life import inference_deployment
from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.access import Access
from plimsoll_operator.cluster.apply import OwnerChangedError, OwnerGoneError, carry_out
from plimsoll_operator.cluster.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    SchemaTooOldError,
)
from plimsoll_operator.cluster.events import record_event
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.cluster.observe import Key, Observer
from plimsoll_operator.observed import Observed
from plimsoll_operator.plan import Event, Plan

pytestmark = pytest.mark.cluster

NOW = datetime.now(UTC)


@pytest.fixture
async def kube(edge: Edge) -> AsyncIterator[Kube]:
    async with Kube(Access(str(edge.operator_kubeconfig())), timedelta(seconds=10), lambda *_: None) as client:
        yield client


@pytest.fixture
async def observed(edge: Edge, kube: Kube) -> Observed:
    """An object that nobody has reconciled."""
    edge.kit.apply(inference_deployment("domains"))
    found = await Observer(kube, "plimsoll-system", "plimsoll-gpu-profiles").observe(Key(edge.kit.namespace, "domains"))
    assert found is not None
    return found


def service(**metadata: Any) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"} | metadata, "spec": {"ports": ports}}


async def test_what_is_not_there_is_not_found(edge: Edge, kube: Kube) -> None:
    with pytest.raises(NotFoundError, match='services "x" not found'):
        await kube.get(kinds.SERVICE, edge.kit.namespace, "x")


async def test_what_the_role_does_not_allow_is_forbidden(kube: Kube) -> None:
    with pytest.raises(ForbiddenError, match="cannot get resource"):
        await kube.get(kinds.CONFIG_MAP, "kube-system", "extension-apiserver-authentication")


def revision(**metadata: Any) -> dict[str, Any]:
    body = {"revision": 1, "data": {"input": {}, "template": {}}}
    return {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "x"} | metadata, **body}


@pytest.mark.parametrize("build", [service, revision], ids=["Service", "ControllerRevision"])
async def test_a_write_bound_to_another_object_is_a_conflict(
    edge: Edge, kube: Kube, build: Callable[..., dict[str, Any]]
) -> None:
    namespace = edge.kit.namespace
    with pytest.raises(ConflictError):
        await kube.apply(build(uid="not-there"), namespace)
    await kube.apply(build(), namespace)
    with pytest.raises(ConflictError):
        await kube.apply(build(uid="another"), namespace)
    kind = kinds.kind_of(build()["apiVersion"], build()["kind"])
    stored = await kube.get(kind, namespace, "x")
    await kube.apply(build(uid=stored["metadata"]["uid"]), namespace)


async def test_a_deletion_is_of_the_very_object(edge: Edge, kube: Kube) -> None:
    namespace = edge.kit.namespace
    await kube.apply(revision(), namespace)
    with pytest.raises(ConflictError):
        await kube.delete(kinds.CONTROLLER_REVISION, namespace, "x", "another")
    stored = await kube.get(kinds.CONTROLLER_REVISION, namespace, "x")
    await kube.delete(kinds.CONTROLLER_REVISION, namespace, "x", stored["metadata"]["uid"])
    assert await kube.find(kinds.CONTROLLER_REVISION, namespace, "x") is None


async def test_applying_the_same_again_changes_nothing(edge: Edge, kube: Kube) -> None:
    namespace = edge.kit.namespace
    await kube.apply(service(), namespace)
    before = await kube.get(kinds.SERVICE, namespace, "x")
    await kube.apply(service(), namespace)
    assert await kube.get(kinds.SERVICE, namespace, "x") == before


async def test_an_invalid_object_is_refused_by_the_path_of_its_fields(edge: Edge, kube: Kube) -> None:
    wrong = service() | {"spec": {"ports": [{"name": "http", "port": 70000}]}}
    with pytest.raises(InvalidError) as refused:
        await kube.apply(wrong, edge.kit.namespace)
    assert "spec.ports[0].port" in refused.value.fields


async def test_a_field_that_the_crd_does_not_declare_says_to_upgrade_it(observed: Observed, kube: Kube) -> None:
    with pytest.raises(SchemaTooOldError, match=r"status\.shipName.*upgrade the CRD"):
        await carry_out(kube, observed, Plan(status={"shipName": "Great Eastern"}), NOW)


async def test_the_status_of_an_object_that_was_deleted_is_let_go(edge: Edge, observed: Observed, kube: Kube) -> None:
    edge.kit.kubectl("delete", "infd", "domains")
    with pytest.raises(OwnerGoneError):
        await carry_out(kube, observed, Plan(status={"observedGeneration": 1}), NOW)


async def test_the_status_of_an_object_that_was_replaced_is_not_written(
    edge: Edge, observed: Observed, kube: Kube
) -> None:
    edge.kit.kubectl("delete", "infd", "domains")
    edge.kit.apply(inference_deployment("domains"))
    with pytest.raises(OwnerChangedError):
        await carry_out(kube, observed, Plan(status={"observedGeneration": 1}), NOW)
    assert edge.kit.get("infd", "domains")["status"] == {"observedGeneration": -1}, "as the CRD gives it to a new one"


async def test_nothing_is_made_in_a_namespace_on_its_way_out(edge: Edge, observed: Observed, kube: Kube) -> None:
    edge.kit.kubectl("delete", "namespace", edge.kit.namespace, "--wait=false")
    with pytest.raises(OwnerGoneError):
        await carry_out(kube, observed, Plan(apply=(service(),)), NOW)


async def test_the_same_event_again_is_counted(edge: Edge, observed: Observed, kube: Kube) -> None:
    event = Event("Warning", "ClaimNotFound", "create the claim")
    for minutes in range(3):
        await record_event(kube, observed.owner, event, NOW + timedelta(minutes=minutes))
    [stored] = edge.kit.select("events")
    assert (stored["count"], stored["message"]) == (3, "create the claim")
    assert stored["lastTimestamp"] > stored["firstTimestamp"]
    assert "create the claim" in edge.kit.kubectl("describe", "infd", "domains")


async def test_a_long_list_comes_in_pages(edge: Edge, kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plimsoll_operator.cluster.kube.PAGE", 2)
    for name in ("a", "b", "c", "d", "e"):
        edge.kit.apply(inference_deployment(name))
    found = await kube.list_all(kinds.INFERENCE_DEPLOYMENT, edge.kit.namespace)
    assert [manifest["metadata"]["name"] for manifest in found] == ["a", "b", "c", "d", "e"]
