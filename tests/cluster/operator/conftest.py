"""Plimsoll installed by its chart, once, with the operator as a pod under the chart's own rights."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from api_client import Api, connected
from cluster_kit import Kit
from helm_chart import Chart
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_sandbox.toolchain import Tools
from shared_crd import ADOPT

SYSTEM = "plimsoll-system"
NAMESPACE = "guardrails"


@pytest.fixture(scope="package")
def installed(sandbox: Sandbox, chart: Chart, tools: Tools) -> Iterator[Kit]:
    """The operator's own namespace, with the release in it."""
    release = dataclasses.replace(chart, kubeconfig=sandbox.kubeconfig)
    kit = Kit(tools.kubectl, sandbox.kubeconfig, SYSTEM)
    values = {"image": {"tag": "dev"}, "serverImage": {"tag": "dev"}, "resyncPeriod": "10s"}
    release.release("install", *ADOPT, "--create-namespace", "--wait", values=values, namespace=SYSTEM)
    yield kit
    release.uninstall(SYSTEM)


@pytest.fixture(scope="package")
def kit(installed: Kit, tools: Tools, sandbox: Sandbox) -> Iterator[Kit]:
    """A namespace that takes restricted pods only; what is left in it at the end goes with it."""
    kit = Kit(tools.kubectl, sandbox.kubeconfig, NAMESPACE)
    kit.kubectl("create", "namespace", NAMESPACE)
    kit.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    yield kit
    kit.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="package")
def api(kit: Kit) -> Iterator[Api]:
    """The same namespace for those that ask often."""
    with connected(kit.kubeconfig, kit.namespace) as api:
        yield api
