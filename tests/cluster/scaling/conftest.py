"""An operator beside the real autoscaler, and a place for objects whose load a test sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from api_client import Api, connected
from bare_api import bare_api
from cluster.scaling.scene import Place
from cluster_kit import Kit
from helm_chart import Chart
from operator_process import OperatorProcess, running_operator
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_sandbox.toolchain import Tools
from scale_writes import ScaleLog

NAMESPACE = "scaling"


@pytest.fixture(scope="package")
def kit(sandbox: Sandbox, tools: Tools, chart: Chart) -> Iterator[Kit]:
    """A namespace with the table of GPU profiles; the API is there, and no operator yet."""
    with bare_api(sandbox, tools, chart, NAMESPACE) as kit:
        yield kit


@pytest.fixture(scope="package")
def operator(kit: Kit, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    log = Path(tmp_path_factory.mktemp("operator")) / "operator.log"
    settings = {
        "POD_NAMESPACE": NAMESPACE,
        "PLIMSOLL_WATCH_NAMESPACE": NAMESPACE,
        "PLIMSOLL_PROMETHEUS_URL": sandbox.prometheus_url,
    }
    with running_operator(kit.kubeconfig, log, **settings) as operator:
        yield operator


@pytest.fixture(scope="package")
def api(kit: Kit) -> Iterator[Api]:
    with connected(kit.kubeconfig, kit.namespace) as api:
        yield api


@pytest.fixture(scope="package")
def place(kit: Kit, api: Api, sandbox: Sandbox, operator: OperatorProcess) -> Iterator[Place]:
    del operator
    with closing(ScaleLog(sandbox.audit_log, kit.namespace)) as scales:
        yield Place(kit, api, sandbox, scales)
