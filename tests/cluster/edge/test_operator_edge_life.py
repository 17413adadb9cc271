"""The operator's process on a real apiserver: with its own rights, through restarts, at rest, and to its end."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cluster.edge.conftest import LEASE, OPERATOR, Edge, Start
from cluster_kit import eventually
from helm_chart import NAMESPACE
from operator_process import OperatorProcess

pytestmark = pytest.mark.cluster

WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def inference_deployment(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "InferenceDeployment",
        "metadata": {"name": name},
        "spec": {
            "model": {"uri": f"hf://org/model:{'0' * 40}", "shape": "modernbert-base"},
            "gpu": {"profile": "cpu"},
            "tiers": [{"name": "short", "maxTokens": 512}],
        },
    }


def uid_of_service(edge: Edge, name: str) -> str | None:
    services = [found for found in edge.kit.select("services") if found["metadata"]["name"] == name]
    return services[0]["metadata"]["uid"] if services else None


def served(edge: Edge, name: str) -> str:
    """Apply an object and wait for its Service; returns the Service's uid."""
    edge.kit.apply(inference_deployment(name))
    return eventually(lambda: uid_of_service(edge, name), 30)


def comes_back(edge: Edge, name: str, deadline: float = 20) -> None:
    """Delete the Service and wait for another one."""
    gone = uid_of_service(edge, name)
    edge.kit.kubectl("delete", "service", name)
    eventually(lambda: uid_of_service(edge, name) not in (None, gone), deadline)


def requests(edge: Edge, since: int = 0) -> list[dict[str, Any]]:
    """What the operator asked for its work: all but what it asked for the Lease."""
    return [r for r in edge.control_plane.requests_of(OPERATOR, since) if not is_about_the_lease(r)]


def is_about_the_lease(request: dict[str, Any]) -> bool:
    return bool(request["objectRef"]["resource"] == "leases") if "objectRef" in request else False


def at_rest(edge: Edge, operator: OperatorProcess) -> None:
    """Wait until the operator has looked at its objects again without a write."""

    def quiet() -> bool:
        since = edge.control_plane.recorded()
        time.sleep(3)
        return not any(request["verb"] in WRITES for request in requests(edge, since))

    eventually(quiet, 60, lambda: operator.log_path.read_text())


def test_the_charts_rights_are_enough_and_kopf_leaves_no_mark(edge: Edge, start: Start) -> None:
    since = edge.control_plane.recorded()
    operator = start()
    served(edge, "born")
    at_rest(edge, operator)
    comes_back(edge, "born")
    metadata = edge.kit.get("infd", "born")["metadata"]
    assert "finalizers" not in metadata
    assert not [key for key in metadata.get("annotations", {}) if "kopf" in key]
    refused = [
        r["requestURI"] for r in edge.control_plane.requests_of(OPERATOR, since) if r["responseStatus"]["code"] == 403
    ]
    assert refused == []
    warnings = [line for line in operator.log() if line["level"] != "info"]
    assert warnings == []


def test_at_rest_it_writes_nothing_but_the_lease_and_asks_eleven_questions_a_round(edge: Edge, start: Start) -> None:
    operator = start()
    served(edge, "resting")
    at_rest(edge, operator)
    rounds = "plimsoll_operator_reconcile_duration_seconds_count"
    since, before = edge.control_plane.recorded(), operator.metric(rounds)
    eventually(lambda: operator.metric(rounds) >= before + 3, 30)
    asked = [request["verb"] for request in requests(edge, since)]
    assert not WRITES & set(asked)
    renewed = [r for r in edge.control_plane.requests_of(OPERATOR, since) if is_about_the_lease(r)]
    assert {(r["verb"], r["objectRef"]["namespace"], r["objectRef"]["name"]) for r in renewed} == {
        ("update", NAMESPACE, LEASE)
    }
    turns = operator.metric(rounds) - before
    # Ten for an object whose model needs no claim, and one list per resync; a round may have just begun or ended.
    assert len([verb for verb in asked if verb != "watch"]) <= (turns + 1) * 11
    assert operator.metric("plimsoll_operator_queue_depth") == 0
    assert operator.resident_mib() < 130


def test_sigterm_ends_it_in_order_within_ten_seconds(edge: Edge, start: Start) -> None:
    operator = start()
    served(edge, "ending")
    began = time.monotonic()
    assert operator.stop(patience=10) == 0
    assert time.monotonic() - began < 10
    assert operator.said("SIGTERM received")


def test_it_ends_in_order_while_the_apiserver_is_away(edge: Edge, start: Start) -> None:
    operator = start()
    served(edge, "left")
    edge.control_plane.kill_apiserver()
    try:
        eventually(lambda: operator.said("cannot list InferenceDeployments"), 30)
        assert operator.stop(patience=10) == 0
    finally:
        edge.control_plane.start_apiserver()


def test_a_new_profile_table_is_seen_within_a_resync(edge: Edge, start: Start) -> None:
    start()
    odd = inference_deployment("profiled")
    odd["spec"]["gpu"]["profile"] = "abacus"
    edge.kit.apply(odd)
    edge.kit.wait_for("profiled", "Stalled", "True", deadline=30)
    table = edge.kit.kubectl("get", "configmap", "plimsoll-gpu-profiles", "-n", NAMESPACE, "-o", "jsonpath={.data}")
    assert "abacus" not in table
    patch = "data: {profiles.yaml: 'abacus: {memory: 4Gi}'}"
    try:
        edge.kit.kubectl("patch", "configmap", "plimsoll-gpu-profiles", "-n", NAMESPACE, "--patch", patch)
        eventually(lambda: uid_of_service(edge, "profiled"), 15)
    finally:
        edge.kit.kubectl(
            "patch", "configmap", "plimsoll-gpu-profiles", "-n", NAMESPACE, "--patch", f'{{"data": {table}}}'
        )
