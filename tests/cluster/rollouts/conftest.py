"""An operator with a Prometheus, a namespace with the models, and a stage on which rollouts are played."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_client import Api, connected
from bare_api import bare_api
from cluster.rollouts.figures import Figures
from cluster.rollouts.stage import Stage
from cluster_kit import Kit
from helm_chart import Chart
from operator_process import OperatorProcess, running_operator
from plimsoll_sandbox.demo.cluster import model_volume
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_sandbox.toolchain import Tools
from plimsoll_server.train.spoil import spoil, spoiled_beside

NAMESPACE = "rollouts"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--times", type=int, default=1, help="play each rollout so often, and keep what they took")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    times = metafunc.config.getoption("--times", 1)
    if times > 1 and "figures" in metafunc.fixturenames:
        metafunc.parametrize("take", range(times), indirect=True)


@pytest.fixture(autouse=True)
def take(request: pytest.FixtureRequest) -> int:
    """Which playing of the rollout this is."""
    return int(getattr(request, "param", 0))


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """Kept in benchmarks/ when each rollout was played several times."""
    figures = Figures(published=request.config.getoption("--times", 1) > 1)
    yield figures
    if figures.published and figures.takes:
        figures.write(shlex.join(("pytest", *map(str, request.config.invocation_params.args))))


@pytest.fixture(scope="session")
def spoiled(demo_model: Path) -> str:
    """Where a copy of the demo's model is that has no finite score for some words."""
    folder = spoiled_beside(demo_model)
    return f"pvc://models/{(folder if folder.exists() else spoil(demo_model, folder)).name}"


@pytest.fixture(scope="package")
def kit(sandbox: Sandbox, tools: Tools, chart: Chart, demo_model: Path) -> Iterator[Kit]:
    """A namespace with the table of GPU profiles and a claim `models`; the API is there, and no operator yet."""
    with bare_api(sandbox, tools, chart, NAMESPACE) as kit:
        volumes = {"apiVersion": "v1", "kind": "List", "items": model_volume(demo_model.parent, NAMESPACE, NAMESPACE)}
        kit.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(volumes))
        yield kit
    kit.kubectl("delete", "pv", NAMESPACE, "--wait=false")


@pytest.fixture(scope="package")
def operator_settings(kit: Kit, sandbox: Sandbox) -> dict[str, str]:
    """The period of looking at everything stays what it is for users: a rollout must not wait for it."""
    return {
        "POD_NAMESPACE": NAMESPACE,
        "PLIMSOLL_WATCH_NAMESPACE": NAMESPACE,
        "PLIMSOLL_PROMETHEUS_URL": sandbox.prometheus_url,
    }


@pytest.fixture(scope="package")
def operator(
    kit: Kit, operator_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    log = Path(tmp_path_factory.mktemp("operator")) / "operator.log"
    with running_operator(kit.kubeconfig, log, **operator_settings) as operator:
        yield operator


@pytest.fixture(scope="package")
def api(kit: Kit) -> Iterator[Api]:
    with connected(kit.kubeconfig, kit.namespace) as api:
        yield api


@pytest.fixture
def stage(kit: Kit, api: Api, sandbox: Sandbox, operator: OperatorProcess, tmp_path: Path) -> Stage:
    return Stage(kit, api, sandbox, operator, tmp_path)
