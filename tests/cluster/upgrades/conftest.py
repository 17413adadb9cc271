"""Operators that come and go over the same objects: an older one, a newer one, and what people run beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from bare_api import bare_api
from cluster_kit import Kit
from helm_chart import Chart
from kubectl_plugin import Plugin
from operator_process import OperatorProcess, running_operator
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_sandbox.toolchain import Tools

NAMESPACE = "upgrades"

Operator = Callable[..., AbstractContextManager[OperatorProcess]]


@pytest.fixture(scope="package")
def kit(sandbox: Sandbox, tools: Tools, chart: Chart) -> Iterator[Kit]:
    """A namespace with the table of GPU profiles; the API is there, and no operator yet."""
    with bare_api(sandbox, tools, chart, NAMESPACE) as kit:
        yield kit


@pytest.fixture
def operator(kit: Kit, tmp_path: Path) -> Operator:
    """An operator whose pods are of the given image, as long as the block lasts; it hands its Lease over at the end."""

    @contextmanager
    def run(image: str = "test/light-server:1") -> Iterator[OperatorProcess]:
        settings = {
            "POD_NAMESPACE": NAMESPACE,
            "PLIMSOLL_WATCH_NAMESPACE": NAMESPACE,
            "PLIMSOLL_RESYNC_PERIOD": "2s",
            "PLIMSOLL_SERVER_IMAGE": image,
        }
        with running_operator(kit.kubeconfig, tmp_path / "operator.log", **settings) as started:
            yield started
            assert started.stop(patience=30) == 0

    return run


@pytest.fixture
def plimsoll(kit: Kit) -> Plugin:
    return Plugin(kit)
