"""The Service proxy: every ClusterIP of the sandbox answers on this machine, as kube-proxy would have it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from plimsoll_sandbox.files import write_json
from plimsoll_sandbox.kube import Kube
from plimsoll_sandbox.node.listener import Listener
from plimsoll_sandbox.node.service_table import (
    Address,
    Backend,
    Service,
    ServicePort,
    parse_backend,
    parse_service,
    reachable,
    service_variables,
)
from plimsoll_sandbox.node.watching import Change, Follower

_BURST_SECONDS = 0.01
_RETRY_SECONDS = 2.0

log = logging.getLogger(__name__)

T = TypeVar("T")


class ServiceProxy:
    """`keep` does everything. The table in `table_file` tells other programs where each Service listens."""

    def __init__(self, kube: Kube, apiserver: Address, probe_address: str, table_file: Path) -> None:
        self._kube = kube
        self._apiserver = apiserver
        self._low_ports = _may_listen(probe_address)
        self._table_file = table_file
        self._services: dict[str, Service] = {}
        self._backends: dict[str, Backend] = {}
        self._listeners: dict[Address, Listener] = {}
        self._changed = asyncio.Event()
        self._known = asyncio.Event()

    def variables(self, namespace: str) -> Mapping[str, str]:
        """Environment variables that tell a namespace's pods of Services."""
        return service_variables(self._services.values(), namespace)

    async def ready(self) -> None:
        """Until the Services that exist are known."""
        await self._known.wait()

    async def keep(self) -> None:
        """Never returns."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_services())
            group.create_task(self._follow_pods())
            group.create_task(self._keep_listening())

    async def _follow_services(self) -> None:
        async for change in Follower(self._kube, "/api/v1/services").changes():
            if isinstance(change, Change):
                found = None if change.gone else parse_service(change.object, low_ports=self._low_ports)
                _put(self._services, change.object["metadata"]["uid"], found)
            else:
                self._known.set()
            self._changed.set()

    async def _follow_pods(self) -> None:
        async for change in Follower(self._kube, "/api/v1/pods").changes():
            if isinstance(change, Change):
                found = None if change.gone else parse_backend(change.object)
                _put(self._backends, change.object["metadata"]["uid"], found)
            self._changed.set()

    async def _keep_listening(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(_BURST_SECONDS)
            self._changed.clear()
            if not await self._listen():
                await asyncio.sleep(_RETRY_SECONDS)
                self._changed.set()

    async def _listen(self) -> bool:
        """Make what listens what should. Whether that worked."""
        wanted = {(service.address, port.listen): (service, port) for service, port in _ports(self._services.values())}
        for address in set(self._listeners) - set(wanted):
            self._listeners.pop(address).close()
        complete = True
        for address, (service, port) in wanted.items():
            listener = self._listeners.setdefault(address, Listener(address))
            try:
                await listener.point_to(self._targets(service, port))
            except OSError as error:
                log.warning("Service %s cannot listen on %s:%d: %s", service.full_name, *address, error)
                complete = False
        self._write_table()
        return complete

    def _targets(self, service: Service, port: ServicePort) -> tuple[Address, ...]:
        if service.full_name == "default/kubernetes":
            return (self._apiserver,)
        return reachable(service, port, self._backends.values())

    def _write_table(self) -> None:
        table = {
            service.full_name: {str(port.port): f"{service.address}:{port.listen}" for port in service.ports}
            for service in self._services.values()
        }
        write_json(self._table_file, table)


def _ports(services: Iterable[Service]) -> list[tuple[Service, ServicePort]]:
    return [(service, port) for service in services for port in service.ports]


def _put(table: dict[str, T], key: str, value: T | None) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def _may_listen(address: str) -> bool:
    """Whether this user may listen on ports below 1024."""
    with socket.socket() as probe:
        try:
            probe.bind((address, 1))
        except PermissionError:
            return False
        except OSError as error:
            log.warning("whether low ports may be used is unknown, so they are not: %s", error)
            return False
    return True
