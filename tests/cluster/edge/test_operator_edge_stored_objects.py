"""A rule that is new to the API is no reason to leave alone what was stored before it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cluster.edge.conftest import Edge, Start, install
from cluster_kit import KubectlError, eventually
from helm_chart import CHART, Chart

pytestmark = pytest.mark.cluster

CRD = yaml.safe_load((CHART.parents[1] / "crds" / "plimsoll.dev_inferencedeployments.yaml").read_text("utf-8"))
BREAKS_A_RULE = {
    "apiVersion": "plimsoll.dev/v1alpha1",
    "kind": "InferenceDeployment",
    "metadata": {"name": "older"},
    "spec": {
        "model": {"uri": "pvc://nowhere/model"},
        "gpu": {"profile": "cpu"},
        "tiers": [{"name": "short", "maxTokens": 512}],
        "server": {"hubTokenSecret": "hub"},
    },
}


def create(edge: Edge, *options: str) -> str:
    """What kubectl says about creating the object: nothing when that goes well."""
    try:
        edge.kit.kubectl("create", "-f", "-", *options, stdin=json.dumps(BREAKS_A_RULE))
    except KubectlError as refusal:
        return str(refusal)
    return ""


@pytest.fixture
def stored(edge: Edge, chart: Chart) -> Iterator[None]:
    """The object, created while the rule was not there yet."""
    older: dict[str, Any] = copy.deepcopy(CRD)
    del older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"]
    edge.kit.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(older))
    try:
        eventually(lambda: not create(edge), 30, lambda: create(edge))
    finally:
        install(edge.kit, chart)
    eventually(lambda: "leave hubTokenSecret out" in create(edge, "--dry-run=server"), 30)
    yield
    edge.kit.kubectl("delete", "infd", "older")


def test_an_object_that_breaks_a_newer_rule_is_still_looked_after(edge: Edge, start: Start, stored: None) -> None:
    operator = start()
    told = edge.kit.wait_for("older", "Stalled", "True", "ClaimNotFound", deadline=60)
    assert "nowhere" in told["message"]
    assert not [line for line in operator.log() if line["level"] == "error"]
