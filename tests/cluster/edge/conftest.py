"""The operator on a control plane of its own: its apiserver is stopped, rights are taken away, tokens revoked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from cluster.edge.control_plane import ControlPlane, running_control_plane
from cluster_kit import Kit
from helm_chart import NAMESPACE, Chart
from operator_process import OperatorProcess, running_operator
from plimsoll_sandbox.toolchain import Tools

SERVICE_ACCOUNT = "plimsoll"
LEASE = "plimsoll"
CRD = "inferencedeployments.plimsoll.dev"
OPERATOR = f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"


@dataclass(frozen=True)
class Edge:
    """A control plane with the chart's roles, and a namespace of the test's own as `kit`."""

    control_plane: ControlPlane
    kit: Kit
    folder: Path

    def new_token(self, *bound: str) -> str:
        """A token of the operator's service account."""
        kit = Kit(self.kit.kubectl_path, self.kit.kubeconfig, NAMESPACE)
        return kit.kubectl("create", "token", SERVICE_ACCOUNT, *bound).strip()

    def operator_kubeconfig(self, **user: str) -> Path:
        """A kubeconfig for the operator's service account; `user` says how it logs in, by a token unless given."""
        path = self.folder / "operator.kubeconfig"
        self.control_plane.write_kubeconfig(path, user or {"token": self.new_token()})
        return path


Start = Callable[..., OperatorProcess]


@pytest.fixture(scope="package")
def control_plane(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with running_control_plane(tools.controlplane, tmp_path_factory.mktemp("control-plane")) as started:
        yield started


@pytest.fixture(scope="package")
def prepared(control_plane: ControlPlane, chart: Chart, tools: Tools) -> ControlPlane:
    """All that the chart installs but the operator itself."""
    kit = Kit(tools.kubectl, control_plane.kubeconfig, NAMESPACE)
    kit.kubectl("create", "namespace", NAMESPACE)
    install(kit, chart)
    return control_plane


def install(kit: Kit, chart: Chart, **values: str) -> None:
    """Apply the chart's objects, each to its own namespace."""
    objects = [found for found in chart.render(values).all if found["kind"] != "Deployment"]
    anywhere = Kit(kit.kubectl_path, kit.kubeconfig, namespace="")
    anywhere.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))
    anywhere.kubectl("wait", f"crd/{CRD}", "--for=condition=Established", "--timeout=30s")


@pytest.fixture
def edge(prepared: ControlPlane, tools: Tools, tmp_path: Path) -> Edge:
    kit = Kit(tools.kubectl, prepared.kubeconfig, f"edge-{uuid4().hex[:8]}")
    kit.kubectl("create", "namespace", kit.namespace)
    # The test before ended its operator by SIGKILL: give the Lease back in its name.
    released = '{"spec": {"holderIdentity": null, "leaseDurationSeconds": 1}}'
    kit.kubectl("patch", "lease", LEASE, "-n", NAMESPACE, "--type=merge", "-p", released)
    return Edge(prepared, kit, tmp_path)


@pytest.fixture
def start(edge: Edge) -> Iterator[Start]:
    """Starts an operator, by default with a token of its service account and for the test's namespace."""
    with ExitStack() as operators:

        def begin(kubeconfig: Path | None = None, **settings: str) -> OperatorProcess:
            settings = {
                "PLIMSOLL_RESYNC_PERIOD": "2s",
                "PLIMSOLL_WATCH_NAMESPACE": edge.kit.namespace,
                "PLIMSOLL_LEASE_NAME": LEASE,
            } | settings
            log = edge.folder / "operator.log"
            return operators.enter_context(running_operator(kubeconfig or edge.operator_kubeconfig(), log, **settings))

        yield begin
