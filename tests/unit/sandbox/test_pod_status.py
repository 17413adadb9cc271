"""A pod's phase and conditions, decided from its containers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from plimsoll_sandbox.node.pod_status import PodState, phase_of, status_of
from plimsoll_sandbox.node.spec.containers import Container
from plimsoll_sandbox.node.spec.pods import Pod
from plimsoll_sandbox.node.states import ContainerStatus, Running, State, Terminated, Waiting

NOW = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)
CREATING = Waiting("ContainerCreating")
CRASHING = Waiting("CrashLoopBackOff")
RUNNING = Running(NOW)
DONE = Terminated(0, "Completed", NOW, NOW)
BROKEN = Terminated(1, "Error", NOW, NOW)


def make_status(state: State, name: str = "main", **fields: Any) -> ContainerStatus:
    return ContainerStatus(name, "image", state, **fields)


def make_state(
    *main: ContainerStatus, init: Sequence[ContainerStatus] = (), policy: str = "Always", **fields: Any
) -> PodState:
    pod = Pod(
        uid="uid",
        name="pod",
        namespace="team",
        node="node",
        containers=tuple(Container(status.name, "image") for status in main),
        init_containers=tuple(Container(status.name, "image") for status in init),
        restart_policy=policy,
        readiness_gates=tuple(fields.pop("gates", ())),
        status=fields.pop("status", {}),
    )
    defaults = {"initialized": not init, "pod_address": "127.65.1.1"}
    return PodState(pod, init, main, NOW, "127.65.0.1", **{**defaults, **fields})


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        (make_state(make_status(CREATING)), "Pending"),
        (make_state(make_status(RUNNING)), "Running"),
        (make_state(make_status(RUNNING), make_status(CREATING, "other")), "Pending"),
        (make_state(make_status(CRASHING, last=BROKEN)), "Running"),
        (make_state(make_status(BROKEN)), "Running"),
        (make_state(make_status(BROKEN), policy="Never"), "Failed"),
        (make_state(make_status(BROKEN), policy="OnFailure"), "Running"),
        (make_state(make_status(DONE), policy="OnFailure"), "Succeeded"),
        (make_state(make_status(DONE), make_status(RUNNING, "other"), policy="Never"), "Running"),
        (make_state(make_status(DONE), make_status(BROKEN, "other"), policy="Never"), "Failed"),
        (make_state(make_status(CREATING), init=[make_status(RUNNING, "first")]), "Pending"),
        (make_state(make_status(CREATING), init=[make_status(BROKEN, "first")], policy="Never"), "Failed"),
        (make_state(make_status(CREATING), init=[make_status(BROKEN, "first")]), "Pending"),
        (make_state(make_status(DONE), done=True), "Succeeded"),
        (make_state(make_status(BROKEN), done=True), "Failed"),
        (make_state(make_status(CREATING), done=True), "Failed"),
    ],
    ids=[
        "creating",
        "running",
        "one of two creating",
        "crash loop",
        "about to restart",
        "failed for good",
        "failed, restarts on failure",
        "succeeded",
        "one of two still runs",
        "one of two failed",
        "init running",
        "init failed for good",
        "init will be retried",
        "deleted after success",
        "deleted after failure",
        "deleted before it ran",
    ],
)
def test_the_containers_decide_the_phase(state: PodState, phase: str) -> None:
    assert phase_of(state) == phase


def conditions(state: PodState, known: Sequence[dict[str, Any]] = ()) -> dict[str, tuple[str, str | None]]:
    found = status_of(state, known, NOW)["conditions"]
    return {condition["type"]: (condition["status"], condition["reason"]) for condition in found}


def test_a_ready_pod_has_every_condition() -> None:
    assert conditions(make_state(make_status(RUNNING, ready=True))) == {
        "PodReadyToStartContainers": ("True", None),
        "Initialized": ("True", None),
        "ContainersReady": ("True", None),
        "Ready": ("True", None),
    }


@pytest.mark.parametrize(
    ("state", "kind", "reason"),
    [
        (make_state(make_status(RUNNING)), "Ready", "ContainersNotReady"),
        (make_state(make_status(DONE), policy="Never"), "Ready", "PodCompleted"),
        (make_state(make_status(BROKEN), policy="Never"), "Ready", "PodFailed"),
        (make_state(make_status(RUNNING, ready=True), gates=["example.com/gate"]), "Ready", "ReadinessGatesNotReady"),
        (
            make_state(make_status(CREATING), init=[make_status(RUNNING, "first")]),
            "Initialized",
            "ContainersNotInitialized",
        ),
    ],
    ids=["unready container", "completed", "failed", "closed gate", "init running"],
)
def test_a_condition_that_is_not_true_says_why(state: PodState, kind: str, reason: str) -> None:
    assert conditions(state)[kind] == ("False", reason)


def test_an_open_readiness_gate_lets_the_pod_be_ready() -> None:
    opened = {"conditions": [{"type": "example.com/gate", "status": "True"}]}
    state = make_state(make_status(RUNNING, ready=True), gates=["example.com/gate"], status=opened)
    assert conditions(state)["Ready"] == ("True", None)


def test_a_condition_keeps_its_time_while_it_stays_as_it_is() -> None:
    state = make_state(make_status(RUNNING, ready=True))
    before = status_of(state, (), NOW)["conditions"]
    later = NOW + timedelta(minutes=1)
    unchanged = status_of(state, before, later)["conditions"]
    assert unchanged == before
    changed = status_of(make_state(make_status(RUNNING)), before, later)["conditions"]
    times = {condition["type"]: condition["lastTransitionTime"] for condition in changed}
    assert times["Ready"] == "2026-05-04T03:01:00Z"
    assert times["Initialized"] == "2026-05-04T03:00:00Z"


def test_the_address_is_told_once_the_pod_has_its_volumes() -> None:
    assert "podIP" not in status_of(make_state(make_status(CREATING), pod_address=None), (), NOW)
    assert status_of(make_state(make_status(CREATING)), (), NOW)["podIPs"][0] == {"ip": "127.65.1.1"}
