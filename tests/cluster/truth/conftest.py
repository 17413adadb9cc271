"""An operator that serves all namespaces, as a process that a test can end and start again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from bare_api import bare_api
from cluster_kit import Kit
from helm_chart import Chart
from operator_process import OperatorProcess, running_operator
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_sandbox.toolchain import Tools, ensure_kstatus

NAMESPACE = "truth"


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
        "PLIMSOLL_RESYNC_PERIOD": "10s",
        "PLIMSOLL_PROMETHEUS_URL": sandbox.prometheus_url,
    }
    with running_operator(kit.kubeconfig, log, **settings) as operator:
        yield operator


@pytest.fixture(scope="package")
def kstatus_program() -> Path:
    return ensure_kstatus(Console(stderr=True))
