"""What the operator may do, and what becomes of it when that changes under it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from cluster.edge.conftest import CRD, OPERATOR, Edge, Start, install
from cluster.edge.test_operator_edge_life import comes_back, inference_deployment, served, uid_of_service
from cluster_kit import eventually
from helm_chart import NAMESPACE, Chart

pytestmark = pytest.mark.cluster

BINDING = ("clusterrolebinding", "plimsoll-operator")


@pytest.fixture
def one_namespace(edge: Edge, chart: Chart) -> Iterator[Edge]:
    """The operator may serve the test's namespace and nothing else."""
    edge.kit.kubectl("delete", *BINDING)
    install(edge.kit, chart, watchNamespace=edge.kit.namespace)
    yield edge
    install(edge.kit, chart)


def test_rights_in_one_namespace_are_enough_to_serve_it(one_namespace: Edge, start: Start) -> None:
    edge = one_namespace
    since = edge.control_plane.recorded()
    operator = start()
    served(edge, "alone")
    comes_back(edge, "alone")
    refused = [r for r in edge.control_plane.requests_of(OPERATOR, since) if r["responseStatus"]["code"] == 403]
    assert [request["requestURI"] for request in refused] == []
    assert operator.stop() == 0


def test_all_namespaces_are_served_unless_one_is_named(edge: Edge, start: Start) -> None:
    operator = start(PLIMSOLL_WATCH_NAMESPACE="")
    served(edge, "anywhere")
    comes_back(edge, "anywhere")
    assert operator.said("serving all namespaces")


def test_a_right_that_is_taken_away_is_named_and_missed_until_it_is_back(
    edge: Edge, start: Start, chart: Chart
) -> None:
    operator = start()
    served(edge, "barred")
    edge.kit.kubectl("delete", *BINDING)
    try:
        eventually(lambda: operator.metric('plimsoll_operator_reconcile_errors_total{reason="Forbidden"}') > 0, 30)
        line = next(line for line in operator.log() if line.get("reason") == "Forbidden")
        # The object and its children are asked for at once: whichever is refused first is named.
        assert re.search(r"cannot (list|get) resource", line["message"]), line["message"]
        assert OPERATOR in line["message"]
    finally:
        install(edge.kit, chart)
    comes_back(edge, "barred", 60)
    assert operator.stop() == 0


def test_a_token_that_is_revoked_is_replaced_by_the_one_in_its_file(edge: Edge, start: Start) -> None:
    holder = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": edge.kit.namespace, "namespace": NAMESPACE}}
    edge.kit.kubectl("create", "-n", NAMESPACE, "-f", "-", stdin=json.dumps(holder))
    token = edge.folder / "token"
    token.write_text(edge.new_token("--bound-object-kind=Secret", f"--bound-object-name={edge.kit.namespace}"))
    operator = start(edge.operator_kubeconfig(tokenFile=str(token)))
    served(edge, "revoked")
    edge.kit.kubectl("delete", "secret", "-n", NAMESPACE, edge.kit.namespace)
    eventually(lambda: operator.said("Unauthorized"), 60, lambda: operator.log_path.read_text())
    token.write_text(edge.new_token())
    comes_back(edge, "revoked", 60)
    assert operator.stop() == 0


def test_it_waits_for_its_kind_and_ends_loudly_when_that_is_taken_away(edge: Edge, start: Start, chart: Chart) -> None:
    edge.kit.kubectl("delete", "crd", CRD)
    try:
        operator = start(PLIMSOLL_RESYNC_PERIOD="60s")
        eventually(lambda: operator.said("The CRD is missing: install it"), 30)
        assert operator.health() == 200
        install(edge.kit, chart)
        eventually(lambda: try_to_serve(edge), 30)
        # Sooner than the next resync: both the object and its children are watched.
        eventually(lambda: operator.said("Initial authentication has finished"), 30)
        served(edge, "later")
        comes_back(edge, "later")
        edge.kit.kubectl("delete", "crd", CRD)
        assert operator.wait(60) == 1
        assert operator.said("part watches ended although nobody asked it to")
    finally:
        install(edge.kit, chart)


def try_to_serve(edge: Edge) -> str | None:
    """Established means accepted, and a moment later served."""
    edge.kit.apply(inference_deployment("late"))
    return uid_of_service(edge, "late")
