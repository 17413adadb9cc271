"""A rolling change on GPU nodes under requests: who served at each moment, and what was said of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from api_client import Api
from cluster_kit import Kit, eventually
from light_server import light, ready
from plimsoll_operator.cluster.kinds import EVENT, INFERENCE_DEPLOYMENT, POD
from plimsoll_sandbox.sandbox import Sandbox
from pod_history import PodHistory, pod_history
from steady_client import steady_requests

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

GPUS = 2
"""Nodes of the profile in the tests' sandbox, with one device each."""


@pytest.fixture
def name(kit: Kit, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of an object that gives its GPUs back at the end."""
    name = f"rolling-{request.node.callspec.id}" if hasattr(request.node, "callspec") else "rolling"
    yield name
    kit.kubectl("delete", "infd", name, "--ignore-not-found")
    eventually(lambda: not kit.select("pods", f"plimsoll.dev/name={name}"), 90)


def gpu_object(name: str, replicas: int, utilization: int) -> dict[str, Any]:
    return light(
        name,
        gpu={"profile": "nvidia-l4"},
        scaling={"provider": "None", "minReplicas": replicas},
        server={"memoryUtilizationPercent": utilization},
    )


@pytest.mark.parametrize(
    ("replicas", "fewest", "reasons", "silent"),
    [
        pytest.param(2, 1, {"Replacing", "ReplacingOneAtATime"}, set(), id="no-spare"),
        pytest.param(1, 1, {"RolloutStarted", "Replacing"}, {"ReplacingOneAtATime", "NoFreeGPU"}, id="spare"),
    ],
)
def test_no_fewer_serve_than_promised_and_no_request_is_lost(
    kit: Kit, api: Api, sandbox: Sandbox, name: str, replicas: int, fewest: int, reasons: set[str], silent: set[str]
) -> None:
    ready(kit, gpu_object(name, replicas, 85))
    old = {pod["metadata"]["uid"] for pod in api.select(POD, f"plimsoll.dev/name={name}")}
    url = sandbox.url(kit.namespace, name)
    with pod_history(api, name) as history, steady_requests(url, rate=10) as answers:
        kit.apply(gpu_object(name, replicas, 80))
        told = follow(api, name)
    assert answers.lost == []
    assert answers.count > 0
    assert history.fewest_serving == fewest
    assert history.most_on_nodes <= GPUS
    assert history.most_leaving == 1
    new = set(history.states[-1])
    assert (len(new), new & old) == (replicas, set())
    assert history.uids == old | new, "a pod was started that is not among the last"
    assert reasons <= {reason for _, reason, _ in told} | event_reasons(api, name)
    assert not silent & ({reason for _, reason, _ in told} | event_reasons(api, name))
    if "ReplacingOneAtATime" in reasons:
        one_at_a_time_is_explained(api, name, told)
    else:
        the_new_pod_served_before_the_old_one_left(history, old)


def follow(api: Api, name: str) -> set[tuple[str, str, str]]:
    """Every phase, reason and message that status tells until the change is done."""
    told: set[tuple[str, str, str]] = set()

    def done() -> bool:
        owner = api.get(INFERENCE_DEPLOYMENT, name)
        status = owner["status"]
        rollout = status["rollout"]
        told.add((rollout["phase"], rollout["reason"], rollout["message"]))
        current = status["observedGeneration"] == owner["metadata"]["generation"]
        conditions = {found["type"]: found["status"] for found in status["conditions"]}
        pods = api.select(POD, f"plimsoll.dev/name={name}")
        alone = all(pod["metadata"]["labels"]["plimsoll.dev/revision"] == rollout["stable"] for pod in pods)
        return current and conditions["Ready"] == "True" and rollout["phase"] == "Idle" and alone

    eventually(done, 180, lambda: str(api.get(INFERENCE_DEPLOYMENT, name)["status"]))
    return told


def event_reasons(api: Api, name: str) -> set[str]:
    return {event["reason"] for event in events_of(api, name)}


def events_of(api: Api, name: str) -> list[dict[str, Any]]:
    return [event for event in api.select(EVENT) if event["involvedObject"]["name"] == name]


def one_at_a_time_is_explained(api: Api, name: str, told: set[tuple[str, str, str]]) -> None:
    [(phase, message)] = {(phase, message) for phase, reason, message in told if reason == "ReplacingOneAtATime"}
    assert phase == "Progressing"
    assert "replacing one pod at a time" in message
    assert "Insufficient nvidia.com/gpu" in message
    assert [event["type"] for event in events_of(api, name) if event["reason"] == "ReplacingOneAtATime"] == ["Normal"]


def the_new_pod_served_before_the_old_one_left(history: PodHistory, old: set[str]) -> None:
    leaving = next(state for state in history.states if any(state[uid].leaving for uid in old if uid in state))
    assert any(pod.serves for uid, pod in leaving.items() if uid not in old)
