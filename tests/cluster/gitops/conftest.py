"""An object that lives in git, at rest and in the middle of a canary, under an operator of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bare_api import bare_api
from cluster_kit import Kit, eventually
from helm_chart import Chart
from light_server import light, ready
from operator_process import running_operator
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_sandbox.toolchain import Tools

NAMESPACE = "gitops"
RESYNC_SECONDS = 2


@pytest.fixture(scope="package")
def kit(sandbox: Sandbox, tools: Tools, chart: Chart, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    log = Path(tmp_path_factory.mktemp("operator")) / "operator.log"
    settings = {
        "POD_NAMESPACE": NAMESPACE,
        "PLIMSOLL_WATCH_NAMESPACE": NAMESPACE,
        "PLIMSOLL_RESYNC_PERIOD": f"{RESYNC_SECONDS}s",
    }
    with bare_api(sandbox, tools, chart, NAMESPACE) as kit, running_operator(kit.kubeconfig, log, **settings):
        yield kit


def in_git(name: str, **sections: Any) -> dict[str, Any]:
    """What a team keeps: little, so that there are many defaults to be left alone. It is judged as a canary."""
    return light(name, rollout={"strategy": "Canary"}, scaling={"minReplicas": 1, "provider": "None"}, **sections)


CHANGE = {"server": {"memoryUtilizationPercent": 70}}


@pytest.fixture(scope="package", params=["at rest", "in a canary"])
def kept(request: pytest.FixtureRequest, kit: Kit) -> dict[str, Any]:
    """The manifest in git of an object in either state. Without a Prometheus, a canary stays on trial."""
    name = request.param.replace(" ", "-")
    ready(kit, in_git(name))
    if name == "at-rest":
        return in_git(name)
    changed = in_git(name, **CHANGE)
    kit.apply(changed)
    eventually(lambda: kit.get("infd", name)["status"]["rollout"]["phase"] == "Analysing", 90)
    return changed
