"""What a person asks of a rollout, by `kubectl plimsoll` on the real control plane: which pods go, and which stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from api_client import Api
from cluster_kit import Kit, eventually
from kubectl_plugin import Plugin
from light_server import light
from operator_process import OperatorProcess
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT, POD

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

OBJECTS = ("promoted", "aborted", "gone-back", "held")
START_SECONDS = 240
"""For a few light servers on a machine that does other work."""


def version(name: str, number: int, replicas: int = 1) -> dict[str, Any]:
    """There is nothing to judge a light server by, so a canary of it waits for a person."""
    return light(
        name,
        server={"memoryUtilizationPercent": 80 + number},
        scaling={"provider": "None", "minReplicas": replicas},
        rollout={"strategy": "Canary", "canary": {"steps": [50]}},
    )


@pytest.fixture(scope="module", autouse=True)
def served(kit: Kit, operator: OperatorProcess) -> Iterator[None]:
    """Version 1 of each serves."""
    for name in OBJECTS:
        kit.apply(version(name, 1))
    for name in OBJECTS:
        kit.wait_for(name, "Ready", "True", deadline=START_SECONDS)
    yield
    for name in OBJECTS:
        kit.kubectl("delete", "infd", name, "--ignore-not-found", "--wait=false")
    eventually(lambda: not any(kit.pods(name) for name in OBJECTS), START_SECONDS)


@pytest.fixture
def plimsoll(kit: Kit) -> Plugin:
    return Plugin(kit)


def pods_of(api: Api, name: str) -> dict[str, set[str]]:
    """UIDs of the pods that are to stay, by their revision."""
    found: dict[str, set[str]] = {}
    for pod in api.select(POD, f"plimsoll.dev/name={name}"):
        if "deletionTimestamp" not in pod["metadata"]:
            found.setdefault(pod["metadata"]["labels"]["plimsoll.dev/revision"], set()).add(pod["metadata"]["uid"])
    return found


def rollout_of(api: Api, name: str) -> dict[str, Any]:
    return dict(api.get(INFERENCE_DEPLOYMENT, name)["status"]["rollout"])


def reaches(api: Api, name: str, *phases: str) -> dict[str, Any]:
    """The rollout once it tells one of these phases of the present spec."""

    def told() -> dict[str, Any] | None:
        owner = api.get(INFERENCE_DEPLOYMENT, name)
        current = owner["status"].get("observedGeneration") == owner["metadata"]["generation"]
        rollout: dict[str, Any] = owner["status"].get("rollout", {})
        return rollout if current and rollout.get("phase") in phases else None

    return eventually(told, START_SECONDS, lambda: str(api.get(INFERENCE_DEPLOYMENT, name)["status"]))


def changed(kit: Kit, api: Api, name: str, number: int) -> str:
    """Another version on trial, with a pod that serves; the canary's hash."""
    kit.apply(version(name, number))
    return str(reaches(api, name, "Analysing")["canary"])


def test_a_promotion_keeps_the_canarys_pod_and_is_refused_where_there_is_none(
    kit: Kit, api: Api, plimsoll: Plugin
) -> None:
    stable = rollout_of(api, "promoted")["stable"]
    code, said = plimsoll.document("promote", "promoted")
    assert (code, said["outcome"]) == (1, "Refused")
    assert f"there is no canary to promote: revision {stable}" in said["message"]

    canary = changed(kit, api, "promoted", 2)
    pods = pods_of(api, "promoted")[canary]
    code, said = plimsoll.document("promote", "promoted", "--wait", "--timeout", "3m", "--id", "once")
    assert (code, said["outcome"], said["revision"], said["done"]) == (0, "Accepted", canary, True)
    assert pods_of(api, "promoted") == {canary: pods}

    code, said = plimsoll.document("promote", "promoted", "--id", "once")
    assert (code, said["outcome"]) == (0, "Accepted")
    assert pods_of(api, "promoted") == {canary: pods}


def test_an_abort_and_a_retry_touch_no_pod_that_serves(kit: Kit, api: Api, plimsoll: Plugin) -> None:
    serving = pods_of(api, "aborted")
    canary = changed(kit, api, "aborted", 2)
    code, said = plimsoll.document("abort", "aborted", "--wait", "--timeout", "3m")
    assert (code, said["revision"], said["done"]) == (0, canary, True)
    reaches(api, "aborted", "RolledBack")
    assert kit.condition("aborted", "Stalled")["reason"] == "RolledBack"
    eventually(lambda: pods_of(api, "aborted") == serving, 60)

    # Applied again, it starts nothing; and the way back in the spec restarts nothing.
    kit.apply(version("aborted", 1))
    reaches(api, "aborted", "Idle")
    kit.apply(version("aborted", 2))
    reaches(api, "aborted", "RolledBack")
    assert pods_of(api, "aborted") == serving

    code, said = plimsoll.document("retry", "aborted")
    assert (code, said["outcome"], said["revision"]) == (0, "Accepted", canary)
    reaches(api, "aborted", "Analysing")
    now = pods_of(api, "aborted")
    assert set(now) == {canary, *serving}
    assert now.items() >= serving.items()


def test_a_rollback_goes_back_to_a_named_revision_and_to_the_one_before(kit: Kit, api: Api, plimsoll: Plugin) -> None:
    first = rollout_of(api, "gone-back")["stable"]
    second = changed(kit, api, "gone-back", 2)
    assert plimsoll.document("promote", "gone-back", "--wait", "--timeout", "3m")[0] == 0
    assert first in plimsoll.completed("rollback", "-n", kit.namespace, "gone-back", "")

    code, said = plimsoll.document("rollback", "gone-back", "--wait", "--timeout", "3m")
    assert (code, said["revision"], said["done"]) == (0, first, True)
    assert rollout_of(api, "gone-back")["stable"] == first
    assert set(pods_of(api, "gone-back")) == {first}
    back = pods_of(api, "gone-back")

    third = changed(kit, api, "gone-back", 3)
    code, said = plimsoll.document("rollback", "gone-back", first[:6], "--wait", "--timeout", "3m")
    assert (code, said["revision"]) == (0, first)
    assert pods_of(api, "gone-back") == back
    rejected = {
        entry["hash"]: entry["rejected"]["reason"]
        for entry in api.get(INFERENCE_DEPLOYMENT, "gone-back")["status"]["revisions"]
        if "rejected" in entry
    }
    assert rejected == {second: "RolledBackByRequest", third: "RolledBackByRequest"}


def test_a_pause_holds_the_next_change_until_it_is_resumed(kit: Kit, api: Api, plimsoll: Plugin) -> None:
    serving = pods_of(api, "held")
    code, said = plimsoll.document("pause", "held", "--id", "hold-it")
    assert (code, said["outcome"]) == (0, "Accepted")
    kit.apply(version("held", 2))
    held = reaches(api, "held", "Paused")
    assert "request hold-it" in held["message"]
    assert pods_of(api, "held") == serving
    # The annotation may go: what was accepted is kept in the history.
    kit.kubectl("annotate", "infd", "held", "plimsoll.dev/rollout-request-")
    assert plimsoll.completed("resume", "-n", kit.namespace, "he") == ["held"]

    code, said = plimsoll.document("resume", "held")
    assert (code, said["outcome"]) == (0, "Accepted")
    reaches(api, "held", "Analysing")
    assert pods_of(api, "held").items() >= serving.items()
