"""One container of a pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plimsoll_sandbox.node.quantity import parse_quantity
from plimsoll_sandbox.node.spec.actions import Action, Probe, parse_hook, parse_probe
from plimsoll_sandbox.node.spec.variables import Variable, VariablesFrom, parse_variable, parse_variables_from
from plimsoll_sandbox.node.spec.volumes import Mount, parse_mount


@dataclass(frozen=True)
class Container:
    """`command` and `args` are None where the image's own apply."""

    name: str
    image: str
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    working_folder: str = ""
    variables: tuple[Variable, ...] = ()
    variables_from: tuple[VariablesFrom, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    limits: Mapping[str, str] = field(default_factory=dict)
    requests: Mapping[str, str] = field(default_factory=dict)
    startup: Probe | None = None
    liveness: Probe | None = None
    readiness: Probe | None = None
    post_start: Action | None = None
    pre_stop: Action | None = None
    is_sidecar: bool = False
    """An init container with restartPolicy Always: started in order, then left running beside the others."""
    message_path: str = "/dev/termination-log"
    message_from_log: bool = False

    @property
    def memory_limit(self) -> int | None:
        """Bytes."""
        return int(parse_quantity(self.limits["memory"])) if "memory" in self.limits else None

    def port(self, reference: int | str) -> int | None:
        """A port by number or by name."""
        return reference if isinstance(reference, int) else self.ports.get(reference)


def parse_container(value: Mapping[str, Any]) -> Container:
    lifecycle = value.get("lifecycle", {})
    resources = value.get("resources", {})
    return Container(
        name=value["name"],
        image=value.get("image", ""),
        command=_words(value.get("command")),
        args=_words(value.get("args")),
        working_folder=value.get("workingDir", ""),
        variables=tuple(map(parse_variable, value.get("env", ()))),
        variables_from=tuple(map(parse_variables_from, value.get("envFrom", ()))),
        ports={port["name"]: port["containerPort"] for port in value.get("ports", ()) if "name" in port},
        mounts=tuple(map(parse_mount, value.get("volumeMounts", ()))),
        limits=resources.get("limits", {}),
        requests=resources.get("requests", {}),
        startup=parse_probe(value.get("startupProbe")),
        liveness=parse_probe(value.get("livenessProbe")),
        readiness=parse_probe(value.get("readinessProbe")),
        post_start=parse_hook(lifecycle.get("postStart")),
        pre_stop=parse_hook(lifecycle.get("preStop")),
        is_sidecar=value.get("restartPolicy") == "Always",
        message_path=value.get("terminationMessagePath", "/dev/termination-log"),
        message_from_log=value.get("terminationMessagePolicy") == "FallbackToLogsOnError",
    )


def _words(value: list[str] | None) -> tuple[str, ...] | None:
    return tuple(value) if value else None
