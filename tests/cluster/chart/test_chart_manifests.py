"""Kubernetes takes what the chart renders: by kubeconform with this apiserver's schemas, and by the apiserver."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cluster_kit import Kit
from helm_chart import CHART_MODES, Chart, Object, Values
from kubernetes_schemas import LOCATION, write_schemas
from plimsoll_sandbox.toolchain import Tools

pytestmark = pytest.mark.cluster

API_VERSIONS = (
    "v1",
    "apps/v1",
    "policy/v1",
    "coordination.k8s.io/v1",
    "networking.k8s.io/v1",
    "rbac.authorization.k8s.io/v1",
    "apiextensions.k8s.io/v1",
)
OPTIONAL_KINDS = {"PrometheusRule"}
"""Of other projects' CRDs, which this control plane does not have. promtool checks what is in them."""
modes = pytest.mark.parametrize("values", CHART_MODES.values(), ids=CHART_MODES.keys())


@pytest.fixture(scope="module")
def schemas(sandbox: Any, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of strict schemas, made from what this apiserver serves."""
    kit = Kit(tools.kubectl, sandbox.kubeconfig, "default")
    folder = tmp_path_factory.mktemp("schemas")
    paths = (f"/openapi/v3/{'apis' if '/' in version else 'api'}/{version}" for version in API_VERSIONS)
    write_schemas([json.loads(kit.kubectl("get", "--raw", path)) for path in paths], folder)
    return folder


def conform(tools: Tools, schemas: Path, manifests: str) -> str:
    """What kubeconform objects to; empty when it is content."""
    done = subprocess.run(
        [tools.kubeconform, "-strict", "-skip", ",".join(OPTIONAL_KINDS), "-schema-location", f"{schemas}/{LOCATION}"],
        input=manifests,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@modes
def test_every_object_is_of_a_known_kind_with_known_fields(
    chart: Chart, tools: Tools, schemas: Path, values: Values
) -> None:
    assert conform(tools, schemas, chart.text(values)) == ""


def test_a_field_that_kubernetes_does_not_know_would_be_found(chart: Chart, tools: Tools, schemas: Path) -> None:
    misspelt = chart.text().replace("readOnlyRootFilesystem:", "readonlyRootFilesystem:")
    assert "additional properties 'readonlyRootFilesystem' not allowed" in conform(tools, schemas, misspelt)


@modes
def test_the_apiserver_takes_every_object(chart: Chart, kit: Kit, values: Values) -> None:
    objects = chart.render(values, namespace=kit.namespace)
    kit.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"),
        stdin="\n---\n".join(
            json.dumps(at_home(found, kit)) for found in objects.all if found["kind"] not in OPTIONAL_KINDS
        ),
    )


def at_home(found: Object, kit: Kit) -> Object:
    """The object in the test's namespace, the only one of those it may name that is sure to exist."""
    metadata = found["metadata"]
    return {**found, "metadata": {**metadata, "namespace": kit.namespace}} if "namespace" in metadata else found
