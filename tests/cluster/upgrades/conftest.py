"""Operators that come and go over the same objects: an older one, a newer one, and what people run beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bare_api import bare_api
from cluster_kit import Kit
from helm_chart import Chart
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


@dataclass(frozen=True)
class Plugin:
    """`kubectl plimsoll`, found on PATH by kubectl as people have it."""

    kit: Kit

    def __call__(self, *argv: str) -> tuple[int, str]:
        """Exit code and everything that was said."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            [str(self.kit.kubectl_path), "plimsoll", *argv],
            env={"PATH": path, "KUBECONFIG": str(self.kit.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def plimsoll(kit: Kit) -> Plugin:
    return Plugin(kit)
