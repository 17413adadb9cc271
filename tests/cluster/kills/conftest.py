"""Operators that are killed: processes outside the cluster, each with a namespace and a way to the apiserver alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api_client import Api, connected
from bare_api import bare_api
from cluster.kills.trial import SYSTEM, Ground
from counting_proxy import counting_proxy
from helm_chart import Chart
from nursery import nursery
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_sandbox.toolchain import Tools
from what_stands import namespaced_kinds


@pytest.fixture(scope="package")
def api(sandbox: Sandbox, tools: Tools, chart: Chart) -> Iterator[Api]:
    """The API is installed, and the table of GPU profiles; no operator is."""
    with bare_api(sandbox, tools, chart, SYSTEM), connected(sandbox.kubeconfig, SYSTEM) as api:
        yield api


@pytest.fixture(scope="package")
def ground(api: Api, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = Path(tmp_path_factory.mktemp("operators"))
    with counting_proxy(sandbox.kubeconfig) as proxy, nursery() as operators:
        yield Ground(api, proxy, operators, folder, namespaced_kinds(api))
