"""Operators that are killed: processes outside the cluster, each with a namespace and a way to the apiserver alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api_client import Api, connected
from cluster.kills.trial import SYSTEM, Ground
from cluster_kit import Kit
from counting_proxy import counting_proxy
from helm_chart import CHART, Chart
from nursery import nursery
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_sandbox.toolchain import Tools
from what_stands import namespaced_kinds

CRD = CHART.parents[1] / "crds" / "plimsoll.dev_inferencedeployments.yaml"


@pytest.fixture(scope="package")
def api(sandbox: Sandbox, tools: Tools, chart: Chart) -> Iterator[Api]:
    """The API is installed, and the table of GPU profiles; no operator is."""
    kit = Kit(tools.kubectl, sandbox.kubeconfig, SYSTEM)
    kit.kubectl("create", "namespace", SYSTEM)
    kit.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRD))
    kit.kubectl("wait", "--for=condition=Established", "-f", str(CRD), "--timeout=30s")
    [profiles] = [found for found in chart.render().of("ConfigMap") if "profiles" in found["metadata"]["name"]]
    profiles["metadata"]["namespace"] = SYSTEM
    kit.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(profiles))
    with connected(sandbox.kubeconfig, SYSTEM) as api:
        yield api
    kit.kubectl("delete", "namespace", SYSTEM, "--wait=false")


@pytest.fixture(scope="package")
def ground(api: Api, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = Path(tmp_path_factory.mktemp("operators"))
    with counting_proxy(sandbox.kubeconfig) as proxy, nursery() as operators:
        yield Ground(api, proxy, operators, folder, namespaced_kinds(api))
