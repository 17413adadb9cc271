"""Canaries on nodes with as many GPUs as pods, by the real scheduler: whose place is taken, and who gets it back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from api_client import Api
from cluster_kit import Kit, eventually
from light_server import light, ready
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT, POD
from plimsoll_sandbox.sandbox import Sandbox
from pod_history import pod_history
from steady_client import steady_requests

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

GPUS = 2
"""Nodes of the profile in the tests' sandbox, with one device each."""
DEADLINE = 120


@pytest.fixture
def name(kit: Kit) -> Iterator[str]:
    """The name of an object that gives its GPUs back at the end."""
    name = "canary-gpus"
    yield name
    kit.kubectl("delete", "infd", name, "--ignore-not-found")
    eventually(lambda: not kit.select("pods", f"plimsoll.dev/name={name}"), 90)


def on_all_gpus(name: str, utilization: int) -> dict[str, Any]:
    return light(
        name,
        gpu={"profile": "nvidia-l4"},
        scaling={"provider": "None", "minReplicas": GPUS},
        server={"memoryUtilizationPercent": utilization},
        rollout={"strategy": "Canary", "canary": {"capacity": "Replace"}},
    )


def rollout_of(api: Api, name: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(INFERENCE_DEPLOYMENT, name)["status"]["rollout"]
    return found


def reached(api: Api, name: str, phase: str) -> dict[str, Any]:
    eventually(
        lambda: rollout_of(api, name)["phase"] == phase,
        DEADLINE,
        lambda: str(api.get(INFERENCE_DEPLOYMENT, name)["status"]),
    )
    return rollout_of(api, name)


def uids(api: Api, name: str, revision: str) -> set[str]:
    return {
        pod["metadata"]["uid"] for pod in api.select(POD, f"plimsoll.dev/name={name},plimsoll.dev/revision={revision}")
    }


def ask(kit: Kit, name: str, request: str) -> None:
    kit.patch("infd", name, {"metadata": {"annotations": {"plimsoll.dev/rollout-request": request}}})


def test_a_canary_takes_one_place_and_gives_it_back_or_takes_over(
    kit: Kit, api: Api, sandbox: Sandbox, name: str
) -> None:
    ready(kit, on_all_gpus(name, 85))
    stable = rollout_of(api, name)["stable"]
    first = uids(api, name, stable)
    with pod_history(api, name) as history, steady_requests(sandbox.url(kit.namespace, name), rate=10) as answers:
        kit.apply(on_all_gpus(name, 80))
        analysed = reached(api, name, "Analysing")
        canary = analysed["canary"]
        beside = uids(api, name, stable)
        assert len(first & beside) == len(beside) == GPUS - 1
        assert (analysed["placesGiven"], analysed["weightPercent"]) == (1, 50)

        ask(kit, name, f"abort@{canary}#abort")
        reached(api, name, "RolledBack")
        kit.wait_for(name, "Available", "True", deadline=DEADLINE)
        eventually(lambda: api.get(INFERENCE_DEPLOYMENT, name)["status"]["readyReplicas"] == GPUS, DEADLINE)
        back = uids(api, name, stable)
        assert beside < back, "no pod that served is touched, and the one that was given up is there again"

        ask(kit, name, "retry#retry")
        reached(api, name, "Analysing")
        on_trial = uids(api, name, canary)
        ask(kit, name, f"promote@{canary}#promote")
        kit.wait_for(name, "Ready", "True", deadline=DEADLINE)
        reached(api, name, "Idle")
        assert on_trial < uids(api, name, canary), "the canary's pod serves on"
    assert answers.lost == []
    assert history.fewest_serving == GPUS - 1
    assert history.most_on_nodes <= GPUS
