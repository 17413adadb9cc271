"""The chart on the real control plane, in namespaces of its own and beside whatever else is installed there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from cluster_kit import Kit
from helm_chart import Chart, Values
from plimsoll_sandbox.toolchain import Tools
from shared_crd import ADOPT, crd_owner, give_back


@pytest.fixture(scope="package")
def cluster_chart(chart: Chart, sandbox: Any) -> Chart:
    return dataclasses.replace(chart, kubeconfig=sandbox.kubeconfig)


@pytest.fixture
def kit(sandbox: Any, tools: Tools) -> Iterator[Kit]:
    with restricted_namespace(sandbox, tools) as kit:
        yield kit


@contextmanager
def restricted_namespace(sandbox: Any, tools: Tools) -> Iterator[Kit]:
    """A new namespace that takes restricted pods only."""
    kit = Kit(tools.kubectl, sandbox.kubeconfig, f"chart-{uuid4().hex[:8]}")
    kit.kubectl("create", "namespace", kit.namespace)
    kit.kubectl("label", "namespace", kit.namespace, "pod-security.kubernetes.io/enforce=restricted")
    try:
        yield kit
    finally:
        kit.kubectl("delete", "namespace", kit.namespace, "--wait=false")


@pytest.fixture
def nowhere(kit: Kit) -> Values:
    """Values for that namespace alone, and no node that takes the pod: the operator that serves is another."""
    return {"watchNamespace": kit.namespace, "nodeSelector": {"example.com/no-such": "node"}}


@pytest.fixture
def release(cluster_chart: Chart, kit: Kit, nowhere: Values) -> Iterator[Kit]:
    """The chart installed."""
    owner = crd_owner(kit)
    cluster_chart.release("install", *ADOPT, values=nowhere, namespace=kit.namespace)
    yield kit
    cluster_chart.uninstall(kit.namespace)
    give_back(kit, owner)
