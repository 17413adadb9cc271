"""A webhook that admission asks and that does not answer: the object says so, and goes on when it is out of the way."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cluster.edge.conftest import Edge, Start
from cluster.edge.test_operator_edge_life import inference_deployment
from cluster_kit import eventually
from free_ports import free_port

pytestmark = pytest.mark.cluster


@pytest.fixture
def webhook_down(edge: Edge) -> Iterator[str]:
    """Asked about every Service and every Event of the test's namespace. Nobody listens at its address."""
    name = f"down-{edge.kit.namespace}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["services", "events"]}
    webhook = {
        "name": "down.plimsoll.dev",
        "clientConfig": {"url": f"https://127.0.0.1:{free_port()}/"},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": edge.kit.namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
    }
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [webhook],
    }
    edge.kit.kubectl("apply", "-f", "-", stdin=json.dumps(configuration))
    yield name
    edge.kit.kubectl("delete", "validatingwebhookconfiguration", name, "--ignore-not-found")


def test_a_webhook_that_is_down_is_told_and_got_over(edge: Edge, start: Start, webhook_down: str) -> None:
    start()
    edge.kit.apply(inference_deployment("domains"))
    told = edge.kit.wait_for("domains", "Reconciling", "True", "WriteFailing")
    assert 'failed calling webhook "down.plimsoll.dev"' in told["message"]
    assert edge.kit.condition("domains", "Stalled")["status"] == "False"
    edge.kit.kubectl("delete", "validatingwebhookconfiguration", webhook_down)
    eventually(lambda: edge.kit.condition("domains", "Ready")["reason"] in ("Starting", "Replacing"), 60)
