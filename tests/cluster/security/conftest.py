"""Plimsoll installed for one namespace, which takes restricted pods only: the operator's own among them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from cluster_kit import Kit
from helm_chart import Chart
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_sandbox.toolchain import Tools
from shared_crd import ADOPT

NAMESPACE = "secured"


@pytest.fixture(scope="package")
def restricted(sandbox: Sandbox, tools: Tools) -> Iterator[Kit]:
    """The namespace, with nothing in it yet."""
    kit = Kit(tools.kubectl, sandbox.kubeconfig, NAMESPACE)
    kit.kubectl("create", "namespace", NAMESPACE)
    kit.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    yield kit
    kit.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="package")
def kit(restricted: Kit, chart: Chart) -> Iterator[Kit]:
    """The same, served by an operator in it."""
    release = dataclasses.replace(chart, kubeconfig=restricted.kubeconfig)
    values = {"image": {"tag": "dev"}, "serverImage": {"tag": "dev"}, "watchNamespace": NAMESPACE}
    release.release("install", *ADOPT, "--wait", values=values, namespace=NAMESPACE)
    yield restricted
    release.uninstall(NAMESPACE)
