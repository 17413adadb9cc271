"""What is secret stays so, through a whole life with everything that goes wrong in it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from cluster.edge.conftest import Edge, Start
from cluster.edge.test_operator_edge_life import comes_back, inference_deployment, served
from cluster_kit import eventually
from helm_chart import NAMESPACE
from operator_process import fetch

pytestmark = pytest.mark.cluster

HUB_TOKEN = "hf_" + "SecretOfTheHub" * 2
API_KEY = "sk-live-" + "0123456789abcdef" * 2


def test_no_secret_shows_in_logs_status_metrics_or_events(edge: Edge, start: Start) -> None:
    token = edge.folder / "token"
    edge.kit.kubectl("create", "secret", "generic", edge.kit.namespace, "-n", NAMESPACE)
    token.write_text(edge.new_token("--bound-object-kind=Secret", f"--bound-object-name={edge.kit.namespace}"))
    operator = start(edge.operator_kubeconfig(tokenFile=str(token)))
    make_secrets(edge)
    served(edge, "plain")
    edge.kit.apply(with_secrets("gated"))
    eventually(lambda: edge.kit.select("deployments", "plimsoll.dev/name=gated"), 30)
    comes_back(edge, "gated")
    odd = with_secrets("odd")
    odd["spec"]["gpu"]["profile"] = "abacus"
    edge.kit.apply(odd)
    edge.kit.wait_for("odd", "Stalled", "True", deadline=30)
    revoked = token.read_text()
    edge.kit.kubectl("delete", "secret", edge.kit.namespace, "-n", NAMESPACE)
    eventually(lambda: operator.said("Unauthorized"), 60, operator.log_path.read_text)
    used = edge.new_token()
    token.write_text(used)
    comes_back(edge, "gated", 60)

    metrics = fetch(operator.metrics_port, "/metrics")[1]
    edge.kit.kubectl("delete", "infd", "gated")
    assert operator.stop() == 0
    told = {
        "log": operator.log_path.read_text(),
        "objects": edge.kit.kubectl("get", "infd,deployments,controllerrevisions,services", "-o", "json"),
        "events": edge.kit.kubectl("get", "events", "-o", "json"),
        "metrics": metrics,
    }
    secrets = [HUB_TOKEN, API_KEY, used, used.rpartition(".")[2], revoked, revoked.rpartition(".")[2]]
    secrets += [base64.b64encode(secret.encode()).decode() for secret in (HUB_TOKEN, API_KEY)]
    assert [(where, secret) for where, text in told.items() for secret in secrets if secret in text] == []
    assert "gated" in told["log"]
    assert "abacus" in told["events"]


def test_every_line_about_an_object_names_it_and_every_trouble_has_a_reason(edge: Edge, start: Start) -> None:
    operator = start()
    served(edge, "told-of")
    edge.control_plane.kill_apiserver()
    try:
        eventually(lambda: operator.said("cannot list InferenceDeployments"), 30)
    finally:
        edge.control_plane.start_apiserver()
    lines = operator.log()
    applied = [line for line in lines if line["message"].startswith("applied ")]
    assert {line.get("object") for line in applied} == {f"{edge.kit.namespace}/told-of"}
    troubles = [line for line in lines if line["level"] == "warning" and line["logger"].startswith("plimsoll")]
    assert troubles
    assert [line for line in troubles if not line.get("reason")] == []


def make_secrets(edge: Edge) -> None:
    for name, secret in (("hub", HUB_TOKEN), ("keys", API_KEY)):
        holder = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"token": secret}}
        edge.kit.kubectl("create", "-f", "-", stdin=json.dumps(holder))


def with_secrets(name: str) -> dict[str, Any]:
    manifest = inference_deployment(name)
    manifest["spec"]["server"] = {"hubTokenSecret": "hub"}
    manifest["spec"]["pod"] = {"imagePullSecrets": [{"name": "keys"}]}
    return manifest
