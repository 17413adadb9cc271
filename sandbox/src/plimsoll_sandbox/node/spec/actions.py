"""What a probe or a lifecycle hook does, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class HttpGet:
    """`port` is a number or the name of one of the container's ports; no host means the pod's own address."""

    port: int | str
    path: str = "/"
    host: str | None = None
    scheme: str = "http"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TcpSocket:
    port: int | str
    host: str | None = None


@dataclass(frozen=True)
class Exec:
    command: tuple[str, ...]


@dataclass(frozen=True)
class Sleep:
    seconds: float


@dataclass(frozen=True)
class Unsupported:
    """An action that only a real kubelet can do; carrying it out fails and says so."""

    kind: str


Action = HttpGet | TcpSocket | Exec | Sleep | Unsupported


@dataclass(frozen=True)
class Probe:
    action: Action
    initial_delay: float
    period: float
    timeout: float
    success_threshold: int
    failure_threshold: int
    grace_seconds: float | None
    """Instead of the pod's, when this probe ends the container."""


def parse_probe(value: Mapping[str, Any] | None) -> Probe | None:
    if value is None:
        return None
    return Probe(
        action=_parse_action(value),
        initial_delay=value.get("initialDelaySeconds", 0),
        period=value.get("periodSeconds", 10),
        timeout=value.get("timeoutSeconds", 1),
        success_threshold=value.get("successThreshold", 1),
        failure_threshold=value.get("failureThreshold", 3),
        grace_seconds=value.get("terminationGracePeriodSeconds"),
    )


def parse_hook(value: Mapping[str, Any] | None) -> Action | None:
    return None if value is None else _parse_action(value)


def _parse_action(value: Mapping[str, Any]) -> Action:
    if "httpGet" in value:
        return _parse_http(value["httpGet"])
    if "tcpSocket" in value:
        return TcpSocket(value["tcpSocket"]["port"], value["tcpSocket"].get("host"))
    if "exec" in value:
        return Exec(tuple(value["exec"].get("command", ())))
    if "sleep" in value:
        return Sleep(value["sleep"]["seconds"])
    return Unsupported("grpc" if "grpc" in value else "unknown")


def _parse_http(value: Mapping[str, Any]) -> HttpGet:
    return HttpGet(
        port=value["port"],
        path=value.get("path") or "/",
        host=value.get("host"),
        scheme=value.get("scheme", "HTTP").lower(),
        headers=tuple((header["name"], header["value"]) for header in value.get("httpHeaders", ())),
    )
