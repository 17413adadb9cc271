"""Every right that the chart grants is needed: a whole life of the operator uses each, and is refused nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from api_client import Api, connected
from cluster.edge.conftest import OPERATOR, Edge, Start, install
from cluster.edge.controllers import Controllers
from cluster.edge.rights import Right, granted, used
from cluster_kit import eventually
from helm_chart import NAMESPACE, Chart, Objects
from plimsoll_operator.cluster import kinds

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

HUB = f"hf://org/model:{'0' * 40}"
NAME = "whole"
RARELY_NEEDED = {
    Right("plimsoll.dev", "inferencedeployments/finalizers", "update"),
    Right("coordination.k8s.io", "leases", "create"),
}
"""Each has a test of its own: no ordinary life shows them."""


@pytest.fixture(params=["all namespaces", "one namespace"])
def installed(request: pytest.FixtureRequest, edge: Edge, chart: Chart) -> Iterator[Objects]:
    """The chart's objects as they are in the cluster."""
    values = {"watchNamespace": edge.kit.namespace} if request.param == "one namespace" else {}
    if values:
        edge.kit.kubectl("delete", "clusterrolebinding,clusterrole", "plimsoll-operator")
        install(edge.kit, chart, **values)
    yield chart.render(values)
    if values:
        install(edge.kit, chart)


@pytest.fixture
def api(edge: Edge) -> Iterator[Api]:
    with connected(edge.control_plane.kubeconfig, edge.kit.namespace) as api:
        yield api


def write(api: Api, model: str = HUB, profile: str = "cpu", **sections: Mapping[str, Any]) -> None:
    spec: dict[str, Any] = {
        "model": {"uri": model},
        "gpu": {"profile": profile},
        "tiers": [{"name": "short", "maxTokens": 512}],
        **sections,
        # Nobody measures a canary here.
        "rollout": {"strategy": "RollingUpdate", **sections.get("rollout", {})},
    }
    api.apply(kinds.INFERENCE_DEPLOYMENT, {**_head(), "spec": spec})


def _head() -> dict[str, Any]:
    kind = kinds.INFERENCE_DEPLOYMENT
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": NAME}}


def told(installed: Objects) -> dict[str, str]:
    """Of what the chart tells the operator, all that its rights follow."""
    names = ("PLIMSOLL_WATCH_NAMESPACE", "PLIMSOLL_LEASE_NAME", "PLIMSOLL_GPU_PROFILES_CONFIGMAP")
    return {name: installed.environment[name] for name in names}


def created_and_changed(api: Api, controllers: Controllers) -> None:
    """A rollout retires a Deployment and its history; without an HPA the pods are counted by the operator."""
    write(api, rollout={"revisionHistoryLimit": 0})
    controllers.until_ready()
    fixed = {"provider": "None", "minReplicas": 2}
    changed = {"memoryUtilizationPercent": 80}
    write(api, server=changed, scaling=fixed, rollout={"revisionHistoryLimit": 0})
    controllers.until_ready()
    write(api, scaling=fixed, rollout={"strategy": "Recreate", "revisionHistoryLimit": 0})
    controllers.until_ready()
    write(api)
    controllers.until_ready()


def repaired(api: Api) -> None:
    """Each child deleted by hand comes back."""
    for kind in kinds.CHILDREN:
        [child] = [found for found in api.select(kind, f"plimsoll.dev/name={NAME}") if _is_live(found)]
        name, uid = child["metadata"]["name"], child["metadata"]["uid"]
        api.delete(kind, name)
        eventually(_replaced(api, kind, name, uid), 20)


def _is_live(child: Mapping[str, Any]) -> bool:
    return bool(child["metadata"]["labels"].get("plimsoll.dev/stable", "true") == "true")


def _replaced(api: Api, kind: kinds.Kind, name: str, uid: str) -> Callable[[], bool]:
    def asked() -> bool:
        found = api.find(kind, name)
        return found is not None and found["metadata"]["uid"] != uid

    return asked


def told_twice(api: Api, controllers: Controllers) -> None:
    """The same trouble twice is one Event, counted up."""
    for _ in range(2):
        write(api, profile="abacus")
        eventually(lambda: _stalled(api) == "GPUProfileNotFound", 20)
        write(api)
        controllers.until_ready()
    write(api, model="pvc://nowhere/model")
    eventually(lambda: _stalled(api) == "ClaimNotFound", 20)


def _stalled(api: Api) -> str:
    conditions = api.get(kinds.INFERENCE_DEPLOYMENT, NAME)["status"]["conditions"]
    return next((c["reason"] for c in conditions if c["type"] == "Stalled" and c["status"] == "True"), "")


def test_each_right_is_used_and_none_is_missed(edge: Edge, start: Start, installed: Objects, api: Api) -> None:
    since = edge.control_plane.recorded()
    operator = start(**told(installed))
    controllers = Controllers(api, NAME)
    created_and_changed(api, controllers)
    repaired(api)
    told_twice(api, controllers)
    assert operator.stop() == 0
    restarted = start(**told(installed))
    write(api)
    controllers.until_ready()
    api.delete(kinds.INFERENCE_DEPLOYMENT, NAME)
    assert restarted.stop() == 0

    requests = edge.control_plane.requests_of(OPERATOR, since)
    refused = [
        (r["verb"], r["requestURI"]) for r in requests if r["responseStatus"]["code"] == 403 and _counts(r, edge)
    ]
    assert refused == []
    rights = granted(installed)
    assert rights - used(requests) - RARELY_NEEDED == set()
    assert "*" not in {part for right in rights for part in right}
    if not installed.of("ClusterRoleBinding"):
        namespaces = {r["objectRef"].get("namespace", "") for r in requests if "objectRef" in r}
        assert namespaces == {edge.kit.namespace, NAMESPACE}


def test_a_lease_that_somebody_deleted_is_made_anew(edge: Edge, start: Start, chart: Chart, api: Api) -> None:
    objects = chart.render()
    lease = objects.environment["PLIMSOLL_LEASE_NAME"]
    system = api.of(NAMESPACE)
    if system.find(kinds.LEASE, lease):
        system.delete(kinds.LEASE, lease)
    since = edge.control_plane.recorded()
    operator = start(**told(objects))
    eventually(lambda: system.find(kinds.LEASE, lease), 60)
    assert operator.stop() == 0
    assert Right("coordination.k8s.io", "leases", "create") in used(edge.control_plane.requests_of(OPERATOR, since))


def test_a_child_that_blocks_its_owners_deletion_needs_the_right_to_the_owners_finalizers(
    edge: Edge, start: Start, chart: Chart, api: Api
) -> None:
    """OwnerReferencesPermissionEnforcement asks for it; no request of the operator names it."""
    objects = chart.render()
    role = next(found for found in objects.of("ClusterRole") if "operator" in found["metadata"]["name"])
    rules = [rule for rule in role["rules"] if "inferencedeployments/finalizers" not in rule["resources"]]
    edge.kit.apply({**role, "rules": rules})
    try:
        operator = start(**told(objects), PLIMSOLL_RESYNC_PERIOD="2s")
        write(api)
        eventually(lambda: operator.said("cannot set blockOwnerDeletion"), 60, lambda: operator.log_path.read_text())
    finally:
        install(edge.kit, chart)
    eventually(lambda: api.find(kinds.SERVICE, NAME), 60)
    assert operator.stop() == 0


def _counts(request: Mapping[str, Any], edge: Edge) -> bool:
    """Not what is asked for an object of an earlier test: its namespace is going, and nothing can be made in it."""
    return request.get("objectRef", {}).get("namespace", "") in ("", NAMESPACE, edge.kit.namespace)
