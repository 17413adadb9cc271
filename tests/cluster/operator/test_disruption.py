"""Nodes that are drained and node agents that die: what the requests that are under way notice of it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_client import Api
from cluster_kit import Kit, eventually
from light_server import light, ready
from plimsoll_operator.cluster.kinds import POD
from plimsoll_sandbox.components.node_agent import NODE_AGENT
from plimsoll_sandbox.demo.cluster import model_volume
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_server.train.demo.texts import DemoText
from pod_history import Pod, pod_history
from steady_client import steady_requests

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

EXAMPLE = Path(__file__).parents[3] / "examples" / "demo" / "domains.yaml"
NODES = ("cpu-0", "cpu-1")
RATE = 20
"""Requests a second: one half over a connection each, the other over connections that are kept."""
DRAIN_SECONDS = 240


@pytest.fixture
def crowded(kit: Kit, api: Api, demo_model: Path) -> Iterator[str]:
    """Two replicas of the real server on one node, with another to go to: both must go, one at a time."""
    volumes = {"apiVersion": "v1", "kind": "List", "items": list(model_volume(demo_model.parent))}
    kit.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(volumes))
    manifest: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    manifest["metadata"]["name"] = "drained"
    manifest["spec"]["model"]["uri"] = f"pvc://models/{demo_model.name}"
    # One pod has all the requests while the other starts: a full queue is not what is tried here.
    manifest["spec"]["tiers"][0]["concurrency"] = 32
    manifest["spec"]["scaling"] = {"provider": "None", "minReplicas": 2}
    kit.kubectl("cordon", NODES[1])
    try:
        ready(kit, manifest, deadline=180)
        assert {pod["spec"]["nodeName"] for pod in api.select(POD, "plimsoll.dev/name=drained")} == {NODES[0]}
        kit.kubectl("uncordon", NODES[1])
        yield "drained"
    finally:
        kit.kubectl("uncordon", *NODES)
        kit.kubectl("delete", "infd", "drained")


@pytest.mark.timeout(600)
def test_a_node_is_drained_without_a_lost_request(
    kit: Kit, api: Api, sandbox: Sandbox, crowded: str, three_texts: list[DemoText]
) -> None:
    url = f"{sandbox.url(kit.namespace, crowded)}/predict"
    old = {pod["metadata"]["uid"] for pod in api.select(POD, f"plimsoll.dev/name={crowded}")}
    body = {"inputs": three_texts[0].text}
    with (
        pod_history(api, crowded) as history,
        steady_requests(url, RATE // 2, body) as anew,
        steady_requests(url, RATE // 2, body, keep_alive=True) as kept,
    ):
        eventually(lambda: anew.count >= RATE and kept.count >= RATE, 60)
        kit.kubectl("drain", NODES[0], "--delete-emptydir-data", "--ignore-daemonsets", deadline=DRAIN_SECONDS)
        kit.wait_for(crowded, "Ready", "True", deadline=DRAIN_SECONDS)
        after = anew.count, kept.count
        eventually(lambda: anew.count >= after[0] + RATE and kept.count >= after[1] + RATE, 60)
    assert anew.lost == []
    assert kept.lost == [], "a connection that is kept is parted with between two answers"
    assert history.fewest_serving == 1, "the disruption budget lets one go at a time"
    last = history.states[-1]
    assert {pod.node for pod in last.values()} == {NODES[1]}
    assert len(last) == 2
    assert not old & set(last)
    assert history.uids == old | set(last), "a pod was started that is not among the last"


def test_a_node_agent_that_is_killed_comes_back_to_the_pods_it_had(kit: Kit, api: Api, sandbox: Sandbox) -> None:
    name = "agentless"
    ready(kit, light(name, scaling={"provider": "None", "minReplicas": 2}))
    before = serving_pods(api, name)
    killed = agent_pid(sandbox)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: agent_pid(sandbox) not in (0, killed), 30)
    # The agent's containers die with it, which a kubelet's do not: each is started once more, in the pod that it was.
    eventually(lambda: serving_pods(api, name) == dict.fromkeys(before, 1), 120, lambda: str(serving_pods(api, name)))
    kit.wait_for(name, "Ready", "True")
    with steady_requests(sandbox.url(kit.namespace, name), RATE) as answers:
        eventually(lambda: answers.count >= RATE, 60)
    assert answers.lost == []
    kit.kubectl("delete", "infd", name)


def serving_pods(api: Api, name: str) -> dict[str, int]:
    """How often the server of each ready pod was restarted, by the pod's uid."""
    return {
        pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"]
        for pod in api.select(POD, f"plimsoll.dev/name={name}")
        if Pod.of(pod).serves
    }


def agent_pid(sandbox: Sandbox) -> int:
    """The node agent's process; 0 while there is none."""
    status = sandbox.status()
    return (status and status.programs[NODE_AGENT].pid) or 0
