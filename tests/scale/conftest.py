"""Many objects on the sandbox's real control plane, under simulated nodes, with the operator as its own process."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from cluster_kit import Kit
from helm_chart import NAMESPACE, Chart
from plimsoll_sandbox.fleet import NodeGroup
from plimsoll_sandbox.sandbox import Options, Sandbox
from plimsoll_sandbox.toolchain import Tools, ensure_kwok
from scale.figures import Figures
from scale.fleet import Fleet
from scale.measurement import Plan, Stage, measure
from scale.simulated_nodes import simulated_nodes

SERVICE_ACCOUNT = "plimsoll"
CRD = "inferencedeployments.plimsoll.dev"
HOURS = 12
"""Lifetime of the operator's token, which nobody renews here."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--objects", type=int, default=200, help="how many InferenceDeployments")
    parser.addoption("--minutes", type=float, default=30.0, help="how long the operator is watched at rest")


@pytest.fixture(scope="session")
def plan(request: pytest.FixtureRequest) -> Plan:
    return Plan(objects=request.config.getoption("--objects"), minutes=request.config.getoption("--minutes"))


@pytest.fixture(scope="session")
def figures(plan: Plan, tools: Tools, chart: Chart, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Figures]:
    """Everything measured once, and written down before anything is judged."""
    folder = tmp_path_factory.mktemp("scale")
    kwok = ensure_kwok(Console(stderr=True))
    sandbox = Sandbox(f"test-{os.getpid()}")
    try:
        sandbox.up(tools, Options([NodeGroup("cpu")]))
        kit = Kit(tools.kubectl, sandbox.kubeconfig, NAMESPACE)
        anywhere = dataclasses.replace(kit, namespace="")
        lease = _install(kit, chart)
        stage = Stage(Fleet(anywhere, plan.objects), sandbox.audit_log, _kubeconfig(kit, folder), lease, folder)
        # Twice as many GPUs as objects: a rollout of all at once never waits for one.
        with simulated_nodes(kwok, kit, 2 * plan.objects, folder / "kwok.log"):
            figures = measure(stage, plan)
        figures.write(plan.figures_path)
        yield figures
    finally:
        sandbox.down()


def _install(kit: Kit, chart: Chart) -> str:
    """What the chart installs but the operator itself. Returns the name of its Lease."""
    kit.kubectl("create", "namespace", NAMESPACE)
    rendered = chart.render()
    objects = [found for found in rendered.all if found["kind"] != "Deployment"]
    kit.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))
    kit.kubectl("wait", f"crd/{CRD}", "--for=condition=Established", "--timeout=60s")
    return rendered.environment["PLIMSOLL_LEASE_NAME"]


def _kubeconfig(kit: Kit, folder: Path) -> Path:
    """A way in as the operator's service account: its rights are the real ones."""
    token = kit.kubectl("create", "token", SERVICE_ACCOUNT, f"--duration={HOURS}h").strip()
    config = yaml.safe_load(kit.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = folder / "operator.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path
