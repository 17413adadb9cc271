"""An older CRD is upgraded in place, objects kept; an operator newer than it touches nothing until then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bare_api import CRD
from cluster.edge.control_plane import running_control_plane
from cluster_kit import Kit, eventually
from helm_chart import Chart
from light_server import light
from operator_process import OperatorProcess, running_operator
from plimsoll_sandbox.toolchain import Tools

pytestmark = pytest.mark.cluster

OLDER = Path(__file__).resolve().parents[2] / "fixtures" / "older_crd.yaml"
NAMESPACE = "guardrails"
SETTINGS = {"POD_NAMESPACE": NAMESPACE, "PLIMSOLL_RESYNC_PERIOD": "2s", "PLIMSOLL_WATCH_NAMESPACE": NAMESPACE}


@pytest.fixture(scope="module")
def kit(tools: Tools, chart: Chart, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """An apiserver of its own with the older CRD: no controller, so what exists is what the operator wrote."""
    with running_control_plane(tools.controlplane, tmp_path_factory.mktemp("control-plane")) as started:
        kit = Kit(tools.kubectl, started.kubeconfig, NAMESPACE)
        kit.kubectl("create", "namespace", NAMESPACE)
        [profiles] = [found for found in chart.render().of("ConfigMap") if "profiles" in found["metadata"]["name"]]
        profiles["metadata"] |= {"namespace": NAMESPACE, "name": "plimsoll-gpu-profiles"}
        kit.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(profiles))
        install(kit, OLDER)
        yield kit


def install(kit: Kit, crd: Path) -> None:
    kit.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(crd))
    kit.kubectl("wait", "--for=condition=Established", "-f", str(crd), "--timeout=30s")


@pytest.fixture
def operator(kit: Kit, tmp_path: Path) -> Iterator[OperatorProcess]:
    with running_operator(kit.kubeconfig, tmp_path / "operator.log", **SETTINGS) as started:
        yield started
        started.stop(patience=30)


def children(kit: Kit, name: str = "early") -> dict[str, Any]:
    """Everything that the operator wrote, and in which version it stands."""
    return {
        f"{child['kind']}/{child['metadata']['name']}": child["metadata"]["resourceVersion"]
        for child in kit.children(name)
    }


def deployments(kit: Kit) -> set[str]:
    return {name for name in children(kit) if name.startswith("Deployment/")}


def test_an_operator_newer_than_the_crd_waits_for_it_and_then_goes_on(kit: Kit, operator: OperatorProcess) -> None:
    kit.apply(light("early"))
    uid = kit.get("infd", "early")["metadata"]["uid"]
    told = kit.wait_for("early", "Stalled", "True", "CRDOutdated")
    assert "spec.server.tlsSecret" in told["message"]
    assert "Upgrade the CRD" in told["message"]
    assert children(kit) == {}
    assert operator.said("the installed CRD is older than this operator")

    install(kit, CRD)
    eventually(
        lambda: kit.condition("early", "Stalled")["status"] == "False", 60, lambda: kit.kubectl("get", "infd", "-oyaml")
    )
    eventually(lambda: deployments(kit), 30)
    assert kit.get("infd", "early")["metadata"]["uid"] == uid


def test_what_runs_under_a_crd_that_went_back_is_left_as_it_is(kit: Kit, tmp_path: Path) -> None:
    """The spec as an older CRD shows it lacks fields, which must not look like a change."""
    install(kit, CRD)
    secured = light("early", server={"tlsSecret": "certificate"})
    with running_operator(kit.kubeconfig, tmp_path / "before.log", **SETTINGS) as started:
        kit.apply(secured)
        eventually(lambda: len(deployments(kit)) == 2, 60, lambda: str(children(kit)))
        kit.wait_for("early", "Stalled", "False")
        started.stop(patience=30)
    before = children(kit)

    install(kit, OLDER)
    with running_operator(kit.kubeconfig, tmp_path / "after.log", **SETTINGS) as started:
        kit.wait_for("early", "Stalled", "True", "CRDOutdated")
        started.stop(patience=30)
    assert children(kit) == before

    # As GitOps would write it again: under the older CRD every write dropped what that does not know.
    install(kit, CRD)
    kit.apply(secured)
    with running_operator(kit.kubeconfig, tmp_path / "again.log", **SETTINGS) as started:
        kit.wait_for("early", "Stalled", "False")
        started.stop(patience=30)
    assert deployments(kit) == {name for name in before if name.startswith("Deployment/")}


def test_what_runs_is_left_as_it_is_while_the_crd_goes_back_under_a_living_operator(
    kit: Kit, operator: OperatorProcess
) -> None:
    """Nobody writes the object: all that changes is what the apiserver shows of it."""
    install(kit, CRD)
    secured = light("lively", server={"tlsSecret": "certificate"})
    kit.apply(secured)
    kit.wait_for("lively", "Stalled", "False")
    before = children(kit, "lively")

    install(kit, OLDER)
    told = kit.wait_for("lively", "Stalled", "True", "CRDOutdated")
    assert "spec.server.tlsSecret" in told["message"]
    # The same for what is written under it: the field that the user sets here is one that both CRDs have.
    kit.patch("infd", "lively", {"spec": {"tiers": [{"name": "short", "maxTokens": 256, "concurrency": 4}]}})
    kit.wait_for("lively", "Stalled", "True", "CRDOutdated")
    assert children(kit, "lively") == before

    install(kit, CRD)
    kit.apply(secured)
    kit.wait_for("lively", "Stalled", "False")
    assert children(kit, "lively").keys() == before.keys()


def test_an_object_written_under_the_older_crd_is_kept_as_it_was(kit: Kit) -> None:
    install(kit, OLDER)
    kit.apply(light("old", longInput={"policy": "Reject"}))
    before = kit.get("infd", "old")
    install(kit, CRD)
    after = kit.get("infd", "old")
    assert after["spec"] == before["spec"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    stored = kit.get("crd", "inferencedeployments.plimsoll.dev")["status"]["storedVersions"]
    assert stored == ["v1alpha1"]
