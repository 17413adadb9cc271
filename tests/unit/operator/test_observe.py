"""Reading the cluster for one reconcile: few requests, and an answer for whatever is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import make_spec
from live_objects import HASH, make_child, make_deployment, make_revision
from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.access import Access
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.cluster.observe import Key, Observer
from plimsoll_operator.observed import ObjectKey, Observed
from scripted_apiserver import Answer, ScriptedApiserver, ok, refusal, scripted_apiserver

SOMEBODY = {"ownerReferences": [{"uid": "uid-2", "controller": True}]}
NAMESPACE = "/api/v1/namespaces/guardrails"
OWNER = "/apis/plimsoll.dev/v1alpha1/namespaces/guardrails/inferencedeployments/domains"
CONFIG_MAP = "/api/v1/namespaces/plimsoll-system/configmaps/profiles"
LISTED = (*kinds.NAMED_AFTER_REVISION, kinds.POD)
PLURALS = {kind.plural for kind in (*kinds.CHILDREN, kinds.POD)}
ABSENT = refusal(404, "NotFound", "not found")


@pytest.fixture
async def apiserver() -> AsyncIterator[ScriptedApiserver]:
    """Holds the object at rest, with every child in its place."""
    async with scripted_apiserver() as server:
        for kind in kinds.NAMED_AFTER_OWNER:
            server.answer(f"GET {kind.path('guardrails', 'domains')}", ok(make_child(kind, "domains")))
        pod = make_child(kinds.POD, f"domains-{HASH}-x")
        for kind, child in zip(LISTED, (make_deployment(), make_revision(), pod), strict=True):
            server.answer(f"GET {kind.path('guardrails')}", ok({"items": [child], "metadata": {}}))
        server.answer(f"GET {CONFIG_MAP}", ok({"data": {"profiles.yaml": "cpu: {memory: 4Gi}"}}))
        yield server


@pytest.fixture
async def observer(apiserver: ScriptedApiserver, tmp_path: Path) -> AsyncIterator[Observer]:
    apiserver.write_kubeconfig(tmp_path / "kubeconfig")
    async with Kube(Access(str(tmp_path / "kubeconfig")), timedelta(seconds=5), lambda *_: None) as kube:
        yield Observer(kube, "plimsoll-system", "profiles")


def store_owner(
    apiserver: ScriptedApiserver, uri: str = "pvc://models/domains", status: Any = None, **metadata: Any
) -> None:
    identity = {"namespace": "guardrails", "name": "domains", "uid": "uid-1", "generation": 1, "resourceVersion": "42"}
    owner = {"metadata": identity | metadata, "spec": make_spec(model={"uri": uri}), "status": status or {}}
    apiserver.answer(f"GET {OWNER}", ok(owner))


KEY = Key("guardrails", "domains")


async def observe(observer: Observer) -> Observed:
    observed = await observer.observe(KEY)
    assert observed is not None
    assert observed.owner.resource_version == "42"
    return observed


async def test_an_object_that_is_gone_costs_one_request(apiserver: ScriptedApiserver, observer: Observer) -> None:
    apiserver.answer(f"GET {OWNER}", ABSENT)
    assert await observer.observe(KEY) is None
    assert apiserver.asked() == [f"GET {OWNER}"]


async def test_an_object_on_its_way_out_is_left_alone(apiserver: ScriptedApiserver, observer: Observer) -> None:
    store_owner(apiserver, deletionTimestamp="2026-05-04T03:00:00Z")
    assert await observer.observe(KEY) is None


async def test_an_object_at_rest_costs_eleven_requests(apiserver: ScriptedApiserver, observer: Observer) -> None:
    store_owner(apiserver)
    observed = await observe(observer)
    assert len(observed.children) == len(kinds.CHILDREN)
    assert (set(observed.profiles), observed.claim_found, observed.foreign) == ({"cpu"}, True, ())
    assert len(apiserver.requests) == 11


async def test_only_what_has_no_certain_name_is_listed(apiserver: ScriptedApiserver, observer: Observer) -> None:
    store_owner(apiserver)
    await observe(observer)
    lists = {f"GET {kind.path('guardrails')}" for kind in LISTED}
    assert {asked for asked in apiserver.asked() if asked.rpartition("/")[2] in PLURALS} == lists


async def test_a_name_that_somebody_else_holds_is_seen(apiserver: ScriptedApiserver, observer: Observer) -> None:
    store_owner(apiserver)
    path = kinds.AUTOSCALER.path("guardrails", "domains")
    apiserver.answer(f"GET {path}", ok(make_child(kinds.AUTOSCALER, "domains", metadata=SOMEBODY)))
    observed = await observe(observer)
    assert observed.foreign == (ObjectKey("autoscaling/v2", "HorizontalPodAutoscaler", "domains"),)


async def test_a_revision_that_runs_is_found_without_its_labels(
    apiserver: ScriptedApiserver, observer: Observer
) -> None:
    store_owner(apiserver, status={"rollout": {"stable": HASH, "canary": ""}})
    for kind, live in ((kinds.DEPLOYMENT, make_deployment()), (kinds.CONTROLLER_REVISION, make_revision())):
        apiserver.answer(f"GET {kind.path('guardrails')}", ok({"items": [], "metadata": {}}))
        bare = {**live, "metadata": live["metadata"] | {"labels": {}}}
        apiserver.answer(f"GET {kind.path('guardrails', f'domains-{HASH}')}", ok(bare))
    observed = await observe(observer)
    assert set(observed.workloads) == {HASH}
    assert [revision.hash for revision in observed.revisions] == [HASH]


@pytest.mark.parametrize(
    ("uri", "found"), [("pvc://models/domains", False), (f"hf://o/r:{'0' * 40}", None), ("s3://nowhere", None)]
)
async def test_the_claim_is_looked_for_where_the_model_lives_in_one(
    apiserver: ScriptedApiserver, observer: Observer, uri: str, found: bool | None
) -> None:
    store_owner(apiserver, uri)
    apiserver.answer(f"GET {NAMESPACE}/persistentvolumeclaims/models", ABSENT)
    observed = await observe(observer)
    assert observed.claim_found is found


@pytest.mark.parametrize(
    ("answer", "says"),
    [(ABSENT, "not found: it comes with the chart"), (refusal(403, "Forbidden", "no"), "grant `get` on it")],
    ids=["absent", "forbidden"],
)
async def test_a_profile_table_that_cannot_be_read_is_an_answer_and_not_an_error(
    apiserver: ScriptedApiserver, observer: Observer, answer: Answer, says: str
) -> None:
    store_owner(apiserver)
    apiserver.answer(f"GET {CONFIG_MAP}", answer)
    observed = await observe(observer)
    assert "ConfigMap plimsoll-system/profiles" in observed.profiles_error
    assert says in observed.profiles_error
