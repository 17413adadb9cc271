"""A pod's phase and conditions, decided from its containers as the kubelet decides them. No I/O here."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from plimsoll_sandbox.kube import Json
from plimsoll_sandbox.node.clock import timestamp
from plimsoll_sandbox.node.spec.pods import Pod
from plimsoll_sandbox.node.states import ContainerStatus, Running, Terminated, Waiting

PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"


@dataclass(frozen=True)
class PodState:
    """What the node agent knows of a pod. `done` says that its containers will not be started again."""

    pod: Pod
    init: Sequence[ContainerStatus]
    main: Sequence[ContainerStatus]
    started_at: datetime.datetime
    node_address: str
    pod_address: str | None = None
    initialized: bool = False
    """Every init container has ended well, or runs as a sidecar; stays so when a sidecar restarts."""
    done: bool = False


def phase_of(state: PodState) -> str:
    if not state.initialized and not state.done:
        return FAILED if _init_failed(state) else PENDING
    if any(isinstance(status.state, Waiting) and status.last is None for status in state.main) and not state.done:
        return PENDING
    if any(isinstance(status.state, Running) for status in state.main):
        return RUNNING
    ended = [_last_end(status) for status in state.main]
    all_succeeded = all(end is not None and end.succeeded for end in ended)
    if state.done:
        return SUCCEEDED if all_succeeded else FAILED
    policy = state.pod.restart_policy
    if policy == "Always" or any(isinstance(status.state, Waiting) for status in state.main):
        return RUNNING
    if all_succeeded:
        return SUCCEEDED
    return FAILED if policy == "Never" else RUNNING


def status_of(state: PodState, known_conditions: Sequence[Json], moment: datetime.datetime) -> Json:
    """A strategic merge patch of the pod's status, without what the scheduler and others own.

    A condition that stays as it is in `known_conditions` keeps the time of its last change.
    """
    phase = phase_of(state)
    sandbox: Json = {}
    if state.pod_address is not None:
        sandbox = {"podIP": state.pod_address, "podIPs": _only(state.pod_address)}
    return {
        "phase": phase,
        "observedGeneration": state.pod.generation,
        "startTime": timestamp(state.started_at),
        "hostIP": state.node_address,
        "hostIPs": _only(state.node_address),
        "initContainerStatuses": [status.to_json() for status in state.init],
        "containerStatuses": [status.to_json() for status in state.main],
        "conditions": _conditions(state, phase, known_conditions, moment),
        **sandbox,
    }


def _conditions(state: PodState, phase: str, known: Sequence[Json], moment: datetime.datetime) -> list[Json]:
    no_sandbox = None if state.pod_address is not None else ("", "")
    containers = _unready_containers(state, phase)
    problems = {
        "PodReadyToStartContainers": no_sandbox,
        "Initialized": _uninitialized(state),
        "ContainersReady": containers,
        "Ready": containers or _closed_gates(state.pod),
    }
    return [
        _condition(kind, problem, _find(known, kind), moment) | {"observedGeneration": state.pod.generation}
        for kind, problem in problems.items()
    ]


def _only(address: str) -> list[Json]:
    """Addresses are merged by a strategic merge patch, unless it says that these are all."""
    return [{"ip": address}, {"$patch": "replace"}]


Problem = tuple[str, str]
"""Reason and message of a condition that is not True."""


def _uninitialized(state: PodState) -> Problem | None:
    if state.initialized:
        return None
    names = [status.name for status in state.init if not is_past(status, state.pod.sidecars)]
    return ("ContainersNotInitialized", _listed("incomplete", names)) if names else None


def _unready_containers(state: PodState, phase: str) -> Problem | None:
    if phase == SUCCEEDED:
        return "PodCompleted", ""
    if phase == FAILED:
        return "PodFailed", ""
    counted = [*state.main, *(status for status in state.init if status.name in state.pod.sidecars)]
    unready = [status.name for status in counted if not status.ready]
    return ("ContainersNotReady", _listed("unready", unready)) if unready else None


def _closed_gates(pod: Pod) -> Problem | None:
    closed = [gate for gate in pod.readiness_gates if not pod.condition_is_true(gate)]
    return ("ReadinessGatesNotReady", f"conditions are not True: {', '.join(closed)}") if closed else None


def is_past(status: ContainerStatus, sidecars: Collection[str]) -> bool:
    """Whether the init container lets the next one start."""
    if status.name in sidecars:
        return status.started
    return isinstance(status.state, Terminated) and status.state.succeeded


def _listed(what: str, names: Sequence[str]) -> str:
    return f"containers with {what} status: [{' '.join(names)}]"


def _condition(kind: str, problem: Problem | None, before: Json | None, moment: datetime.datetime) -> Json:
    reason, message = problem or ("", "")
    status = "True" if problem is None else "False"
    unchanged = before is not None and before["status"] == status
    since = before["lastTransitionTime"] if before is not None and unchanged else timestamp(moment)
    return {
        "type": kind,
        "status": status,
        "lastTransitionTime": since,
        # Null takes away what an earlier problem left behind: conditions are merged.
        "reason": reason or None,
        "message": message or None,
    }


def _find(conditions: Sequence[Json], kind: str) -> Json | None:
    return next((found for found in conditions if found["type"] == kind), None)


def _init_failed(state: PodState) -> bool:
    ended = [status.state for status in state.init if isinstance(status.state, Terminated)]
    return state.pod.restart_policy == "Never" and any(not end.succeeded for end in ended)


def _last_end(status: ContainerStatus) -> Terminated | None:
    return status.state if isinstance(status.state, Terminated) else status.last
