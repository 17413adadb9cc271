"""Services and the pods behind them: who is reached under which address. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_FIRST_OPEN_PORT = 1024
_MOVED_BY = 8000

Address = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True)
class ServicePort:
    """`target` is a port's number, or its name in the pods. `listen` is where the proxy really listens."""

    name: str
    port: int
    target: int | str
    listen: int


@dataclass(frozen=True)
class Service:
    """One Service with a ClusterIP."""

    namespace: str
    name: str
    address: str
    ports: tuple[ServicePort, ...]
    selector: Mapping[str, str]
    takes_unready: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Backend:
    """One pod as Services see it."""

    namespace: str
    labels: Mapping[str, str]
    address: str
    ready: bool
    leaving: bool
    ports: Mapping[str, int]


def parse_service(value: Mapping[str, Any], *, low_ports: bool) -> Service | None:
    """None for a Service without a ClusterIP. Without `low_ports`, ports below 1024 are listened on 8000 higher."""
    spec = value["spec"]
    address = spec.get("clusterIP", "")
    if address in {"", "None"} or spec.get("type") == "ExternalName":
        return None
    ports = [_parse_port(port, low_ports) for port in spec.get("ports", ()) if port.get("protocol", "TCP") == "TCP"]
    return Service(
        namespace=value["metadata"]["namespace"],
        name=value["metadata"]["name"],
        address=address,
        ports=tuple(ports),
        selector=spec.get("selector") or {},
        takes_unready=spec.get("publishNotReadyAddresses", False),
    )


def parse_backend(value: Mapping[str, Any]) -> Backend | None:
    """None for a pod that has no address, or has ended."""
    status = value.get("status", {})
    if not status.get("podIP") or status.get("phase") in {"Succeeded", "Failed"}:
        return None
    conditions = status.get("conditions", ())
    ports = [port for container in value["spec"]["containers"] for port in container.get("ports", ())]
    return Backend(
        namespace=value["metadata"]["namespace"],
        labels=value["metadata"].get("labels", {}),
        address=status["podIP"],
        ready=any(found["type"] == "Ready" and found["status"] == "True" for found in conditions),
        leaving="deletionTimestamp" in value["metadata"],
        ports={port["name"]: port["containerPort"] for port in ports if "name" in port},
    )


def reachable(service: Service, port: ServicePort, backends: Iterable[Backend]) -> tuple[Address, ...]:
    """Where connections to this port may go: ready pods of the selector that are not being deleted."""
    if not service.selector:
        return ()
    chosen = [
        backend
        for backend in backends
        if backend.namespace == service.namespace
        and service.selector.items() <= backend.labels.items()
        and (backend.ready or service.takes_unready)
        and not backend.leaving
    ]
    targets = [(backend.address, _target(port, backend)) for backend in chosen]
    return tuple((address, number) for address, number in targets if number is not None)


def service_variables(services: Iterable[Service], namespace: str) -> dict[str, str]:
    """What the kubelet tells containers of the Services of their namespace, and of the apiserver's own."""
    variables: dict[str, str] = {}
    for service in services:
        is_apiserver = service.full_name == "default/kubernetes"
        if service.ports and (service.namespace == namespace or is_apiserver):
            variables |= _variables_of(service)
    return variables


def _variables_of(service: Service) -> dict[str, str]:
    name = service.name.upper().replace("-", "_")
    first = service.ports[0]
    variables = {
        f"{name}_SERVICE_HOST": service.address,
        f"{name}_SERVICE_PORT": str(first.listen),
        f"{name}_PORT": f"tcp://{service.address}:{first.listen}",
    }
    for port in service.ports:
        if port.name:
            variables[f"{name}_SERVICE_PORT_{port.name.upper().replace('-', '_')}"] = str(port.listen)
        prefix = f"{name}_PORT_{port.port}_TCP"
        variables[prefix] = f"tcp://{service.address}:{port.listen}"
        variables[f"{prefix}_PROTO"] = "tcp"
        variables[f"{prefix}_PORT"] = str(port.listen)
        variables[f"{prefix}_ADDR"] = service.address
    return variables


def _parse_port(value: Mapping[str, Any], low_ports: bool) -> ServicePort:
    port = value["port"]
    listen = port if low_ports or port >= _FIRST_OPEN_PORT else port + _MOVED_BY
    return ServicePort(value.get("name", ""), port, value.get("targetPort", port), listen)


def _target(port: ServicePort, backend: Backend) -> int | None:
    return port.target if isinstance(port.target, int) else backend.ports.get(port.target)
