"""The chart on the real control plane, in namespaces of its own and beside whatever else is installed there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from cluster_kit import Kit
from helm_chart import CHART, Chart
from plimsoll_sandbox.toolchain import Tools

CRD = "inferencedeployments.plimsoll.dev"


@pytest.fixture(scope="package")
def cluster_chart(chart: Chart, sandbox: Any) -> Chart:
    return dataclasses.replace(chart, kubeconfig=sandbox.kubeconfig)


@pytest.fixture
def kit(sandbox: Any, tools: Tools) -> Iterator[Kit]:
    """A new namespace that takes restricted pods only."""
    kit = Kit(tools.kubectl, sandbox.kubeconfig, f"chart-{uuid4().hex[:8]}")
    kit.kubectl("create", "namespace", kit.namespace)
    kit.kubectl("label", "namespace", kit.namespace, "pod-security.kubernetes.io/enforce=restricted")
    yield kit
    kit.kubectl("delete", "namespace", kit.namespace, "--wait=false")


@pytest.fixture
def release(cluster_chart: Chart, kit: Kit) -> Iterator[Kit]:
    """The chart installed for that namespace alone. No node takes its pod: the operator that serves is another."""
    owner = crd_owner(kit)
    cluster_chart.release("install", *ADOPT, values=nowhere(kit), namespace=kit.namespace)
    yield kit
    cluster_chart.uninstall(kit.namespace)
    give_back(kit, owner)


ADOPT = ("--take-ownership", "--force-conflicts")
"""Options for a release whose CRD may be another's already."""


def nowhere(kit: Kit) -> dict[str, Any]:
    return {"watchNamespace": kit.namespace, "nodeSelector": {"example.com/no-such": "node"}}


def crd_owner(kit: Kit) -> dict[str, str]:
    """Helm's marks on the CRD, which is the cluster's only one; empty where it is not Helm's."""
    found = kit.kubectl("get", "crd", CRD, "--ignore-not-found", "-o", "json")
    annotations = json.loads(found)["metadata"].get("annotations", {}) if found else {}
    return {key: value for key, value in annotations.items() if key.startswith("meta.helm.sh/")}


def give_back(kit: Kit, owner: dict[str, str]) -> None:
    """The CRD as it is in the repository, and Helm's marks as they were: the release that had it may be upgraded."""
    source = CHART.parents[1] / "crds" / "plimsoll.dev_inferencedeployments.yaml"
    kit.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(source))
    marks = [f"{key}={owner[key]}" if key in owner else f"{key}-" for key in sorted(MARKS)]
    kit.kubectl("annotate", "--overwrite", "crd", CRD, *marks)


MARKS = {"meta.helm.sh/release-name", "meta.helm.sh/release-namespace"}
