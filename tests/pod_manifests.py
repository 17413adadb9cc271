"""Pods for the tests of the sandbox: say only what a test is about, the rest is ordinary."""

from __future__ import annotations

import json
from typing import Any

import httpx

from cluster_kit import Kit, eventually

PROGRAM = "test/pod-program:1"

OWN = {"POD_IP": "status.podIP", "POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"}
"""Fields of the pod that the program wants to know."""


def make_container(*args: str, name: str = "main", image: str = PROGRAM, **fields: Any) -> dict[str, Any]:
    own = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in OWN.items()]
    variables = [*own, *fields.pop("env", ())]
    return {"name": name, "image": image, "args": list(args), "env": variables, **fields}


def make_shell_container(script: str, **fields: Any) -> dict[str, Any]:
    return make_container(command=["/bin/sh", "-c", script], **fields)


def make_pod(*args: str, name: str = "pod", spec: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    """A pod of one container with a short grace; `spec` adds to or replaces the pod's own fields."""
    main = make_container(*args, **container)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [main], "terminationGracePeriodSeconds": 5, **(spec or {})},
    }


def make_shell(script: str, **fields: Any) -> dict[str, Any]:
    return make_pod(command=["/bin/sh", "-c", script], **fields)


def make_service(name: str, port: int = 80, target: int | str = 8080) -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"port": port, "targetPort": target}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def make_deployment(name: str, replicas: int, pod: dict[str, Any]) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {**pod["metadata"], "name": "", "labels": labels}, "spec": pod["spec"]},
        },
    }


def make_config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def make_secret(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def container_status(kit: Kit, pod: str, container: str = "main", group: str = "containerStatuses") -> dict[str, Any]:
    """What the API tells of a container; empty while it tells nothing."""
    statuses = kit.get("pod", pod).get("status", {}).get(group, [])
    return next((dict(found) for found in statuses if found["name"] == container), {})


def wait_for_phase(kit: Kit, pod: str, *phases: str, deadline: float = 30) -> str:
    def reached() -> str | None:
        phase: str = kit.get("pod", pod).get("status", {}).get("phase", "")
        return phase if phase in phases else None

    return eventually(reached, deadline, lambda: kit.kubectl("get", "pod", pod, "-o", "jsonpath={.status}"))


def wait_for_ready(kit: Kit, pod: str, deadline: float = 90) -> None:
    kit.kubectl("wait", f"pod/{pod}", "--for=condition=Ready", f"--timeout={deadline:.0f}s", deadline=deadline + 30)


def wait_for_state(kit: Kit, pod: str, kind: str, reason: str = "", deadline: float = 30) -> dict[str, Any]:
    """Wait until the main container is waiting, running or terminated (for a reason); that state."""

    def reached() -> dict[str, Any] | None:
        state = container_status(kit, pod).get("state", {}).get(kind)
        return dict(state) if state is not None and reason in ("", state.get("reason")) else None

    return eventually(reached, deadline, lambda: json.dumps(container_status(kit, pod)))


def events(kit: Kit, pod: str) -> list[tuple[str, str]]:
    """(reason, message) of all Events about a pod."""
    found = kit.select("events")
    return [(event["reason"], event["message"]) for event in found if event["involvedObject"]["name"] == pod]


def text_of(url: str) -> str:
    """What is answered there; nothing while nobody answers. A Service follows its pods' readiness, a moment later."""
    try:
        return httpx.get(url).text
    except httpx.TransportError:
        return ""


def refuses(url: str) -> bool:
    """Whether connections are refused there. Until the Service has followed its pods, they are answered or reset."""
    try:
        httpx.get(url)
    except httpx.ConnectError:
        return True
    except httpx.TransportError:
        pass
    return False
