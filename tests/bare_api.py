"""A namespace in which an operator may be started by a test: the API is there and the GPU profiles, no operator yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from cluster_kit import Kit, eventually
from helm_chart import CHART, Chart
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_sandbox.toolchain import Tools

PROFILES = "plimsoll-gpu-profiles"
CRD = CHART.parents[1] / "crds" / "plimsoll.dev_inferencedeployments.yaml"


@contextmanager
def bare_api(sandbox: Sandbox, tools: Tools, chart: Chart, namespace: str) -> Iterator[Kit]:
    """The namespace; it goes when the block ends, and nobody waits for that."""
    kit = Kit(tools.kubectl, sandbox.kubeconfig, namespace)
    kit.kubectl("create", "namespace", namespace)
    kit.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRD))
    eventually(lambda: _is_established(kit), 60)
    [profiles] = [found for found in chart.render().of("ConfigMap") if "profiles" in found["metadata"]["name"]]
    profiles["metadata"] |= {"namespace": namespace, "name": PROFILES}
    kit.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(profiles))
    yield kit
    kit.kubectl("delete", "namespace", namespace, "--wait=false")


def _is_established(kit: Kit) -> bool:
    """Read as JSON: `kubectl wait` and a jsonpath both fail on a CRD whose status has no list of conditions yet."""
    status = json.loads(kit.kubectl("get", "-f", str(CRD), "-o", "json")).get("status", {})
    conditions = status.get("conditions") or ()
    return any(found["type"] == "Established" and found["status"] == "True" for found in conditions)
