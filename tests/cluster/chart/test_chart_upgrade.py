"""Upgrades of a release that serves: from an older one, by changed values, and over an uninstall."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.chart.conftest import restricted_namespace
from cluster.chart.recording import Recording, recording
from cluster.chart.writers import spans_of_writing
from cluster_kit import Kit, eventually
from helm_chart import Chart, Values
from light_server import light, ready
from older_release import OLDER_CHART
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_sandbox.toolchain import Tools
from shared_crd import ADOPT, CRD, crd_owner, give_back

pytestmark = pytest.mark.cluster

TAKEOVER_SECONDS = 20
NAME = "steady"
OPERATORS = "app.kubernetes.io/component=operator"


def steady(replicas: int = 2) -> dict[str, Any]:
    """Runs the server's image that the chart names."""
    manifest = light(NAME, scaling={"minReplicas": replicas, "provider": "None"})
    del manifest["spec"]["server"]["image"]
    return manifest


@dataclass(frozen=True)
class Served:
    """A release that came from the older one, with an object that was there all along."""

    kit: Kit
    values: Values
    pods: set[str]
    """The server's pods as they ran under the older release."""
    older_fields: set[str]
    """What `spec.server` had then."""
    operators: Recording
    """The operators' pods over that upgrade."""
    notes: str
    """What Helm printed at its end."""

    def with_values(self, **changed: Any) -> Values:
        return {**self.values, **changed}


@pytest.fixture(scope="module")
def served(cluster_chart: Chart, sandbox: Sandbox, tools: Tools) -> Iterator[Served]:
    older = dataclasses.replace(cluster_chart, path=OLDER_CHART)
    with restricted_namespace(sandbox, tools) as kit:
        values = {
            "watchNamespace": kit.namespace,
            "image": {"tag": "dev"},
            "serverImage": {"repository": "test/light-server", "tag": "1"},
            "resyncPeriod": "5s",
        }
        owner = crd_owner(kit)
        try:
            older.release(
                "install", *ADOPT, "--wait", values={**values, "image": {"tag": "older"}}, namespace=kit.namespace
            )
            ready(kit, steady())
            pods, fields = serving(kit), server_fields(kit)
            with recording(kit, "pods", "-l", OPERATORS, columns=POD_COLUMNS) as operators:
                notes = cluster_chart.release("upgrade", "--wait", values=values, namespace=kit.namespace)
            yield Served(kit, values, pods, fields, operators, notes)
            cluster_chart.uninstall(kit.namespace)
        finally:
            give_back(kit, owner)


POD_COLUMNS = "EVENT:.type,UID:.object.metadata.uid,PHASE:.object.status.phase"


def serving(kit: Kit) -> set[str]:
    """The server's pods that are ready, each as itself and as the container that it runs now."""
    return {
        f"{pod['metadata']['uid']} {status['containerID']}"
        for pod in kit.pods(NAME)
        for status in pod["status"].get("containerStatuses", [])
        if status["ready"]
    }


def server_fields(kit: Kit) -> set[str]:
    [version] = kit.get("crd", CRD)["spec"]["versions"]
    return set(version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["server"]["properties"])


def test_the_older_operator_has_ended_before_its_successor_starts(served: Served) -> None:
    seen = [columns for _, columns in served.operators.events]
    older = seen[0][1]
    assert len({uid for _, uid, _ in seen}) == 2
    starts = next(number for number, (_, uid, *_) in enumerate(seen) if uid != older)
    event, _, phase = [columns for columns in seen[:starts] if columns[1] == older][-1]
    assert event == "DELETED" or phase in {"Succeeded", "Failed"}

    assert "Run this upgrade once more" in served.notes


def test_an_upgrade_from_the_older_release_upgrades_the_crd_and_restarts_no_server(served: Served) -> None:
    assert server_fields(served.kit) > served.older_fields
    # A condition that the older operator does not know: by now the newer one has looked at everything.
    eventually(lambda: served.kit.condition(NAME, "UpToDate"), deadline=60)
    served.kit.wait_for(NAME, "Ready", "True")
    assert serving(served.kit) == served.pods


def test_changed_values_restart_no_server_and_the_lead_is_never_away_longer_than_a_takeover(
    served: Served, cluster_chart: Chart
) -> None:
    kit = served.kit
    first = eventually(lambda: leader(kit), deadline=60)
    changed = served.with_values(
        image={"tag": "next"},
        serverImage={"repository": "test/light-server", "tag": "another"},
        resources={"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "400Mi"}},
        gpuProfiles={"cpu": {"memory": "3Gi", "nodeSelector": {"kubernetes.io/os": "linux"}}},
        freeze=True,
    )
    with recording(kit, "lease/plimsoll", columns=LEASE_COLUMNS) as lease:
        cluster_chart.release("upgrade", "--wait", values=changed, namespace=kit.namespace)
        eventually(lambda: leader(kit) not in ("", first) and leader(kit) in operators(kit), deadline=60)
    assert len(operators(kit)) == 2
    assert longest_without_a_leader(lease) <= TAKEOVER_SECONDS
    kit.wait_for(NAME, "UpToDate", "False", "NewerRenderingWaits")
    kit.wait_for(NAME, "Ready", "True")
    assert serving(kit) == served.pods


LEASE_COLUMNS = "HOLDER:.object.spec.holderIdentity,RENEWED:.object.spec.renewTime"


def leader(kit: Kit) -> str:
    """The pod that holds the Lease; nothing when none does."""
    found = kit.kubectl("get", "lease", "plimsoll", "--ignore-not-found", "-o", "jsonpath={.spec.holderIdentity}")
    return found.partition("_")[0]


def operators(kit: Kit) -> set[str]:
    return {
        pod["metadata"]["name"] for pod in kit.select("pods", OPERATORS) if "deletionTimestamp" not in pod["metadata"]
    }


def longest_without_a_leader(lease: Recording) -> float:
    """Seconds from a leader's last sign of life to its successor's first."""
    signs = [(at, columns[0]) for at, columns in lease.events if columns[0] != "<none>"]
    return max((at - before for (before, one), (at, other) in itertools.pairwise(signs) if one != other), default=0.0)


def test_no_two_operators_wrote_at_the_same_time(served: Served, cluster_chart: Chart, sandbox: Sandbox) -> None:
    kit = served.kit
    cluster_chart.release(
        "upgrade", "--wait", values=served.with_values(image={"tag": "next"}), namespace=kit.namespace
    )
    kit.patch("infd", NAME, {"spec": {"scaling": {"scaleDownStabilization": "4m"}}})
    kit.wait_for(NAME, "Ready", "True")
    spans = spans_of_writing(sandbox.audit_log, f"system:serviceaccount:{kit.namespace}:plimsoll")
    assert len(spans) >= 2
    for (one, (_, last)), (other, (first, _)) in itertools.pairwise(spans.items()):
        assert last < first, f"{one} still wrote when {other} had begun"


def test_an_uninstall_leaves_what_serves_and_a_new_install_takes_it_up(served: Served, cluster_chart: Chart) -> None:
    kit = served.kit
    address = kit.get("service", NAME)["metadata"]["uid"]
    cluster_chart.uninstall(kit.namespace)
    eventually(lambda: not operators(kit), deadline=60)
    assert serving(kit) == served.pods
    assert kit.get("service", NAME)["metadata"]["uid"] == address
    assert kit.get("lease", "plimsoll")["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    cluster_chart.release("install", "--wait", values=served.values, namespace=kit.namespace)
    ready(kit, steady(replicas=3))
    assert serving(kit) > served.pods
    assert kit.get("service", NAME)["metadata"]["uid"] == address
