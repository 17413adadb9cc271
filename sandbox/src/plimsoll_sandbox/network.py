"""Addresses and ports that are one sandbox's alone.

Every sandbox takes two ranges of the loopback network: 127.N.0.0/16 for the ClusterIPs of Services and 127.N+1.0.0/16
for nodes and pods. The claim on them is an abstract Unix socket: the kernel gives its name to one process of the
machine at a time, whatever its home or user, and takes it back when that process ends, however it ends.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass

from plimsoll_sandbox.errors import SandboxError

_RANGES = range(64, 224, 2)
# Below the range the kernel gives to outgoing connections, so that a restarted component finds its port free.
_PORTS = range(20_000, 32_000)
_PORTS_PER_RANGE = 100
_PORT_NAMES = (
    "etcd",
    "etcd_peer",
    "apiserver",
    "controller_manager",
    "scheduler",
    "metrics_adapter",
    "prometheus",
    "kubelet",
)


@dataclass(frozen=True)
class Network:
    """The ranges (by the second number of their addresses) and ports of one sandbox."""

    services_range: int
    pods_range: int
    ports: dict[str, int]

    @property
    def services(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(f"127.{self.services_range}.0.0/16")

    @property
    def kubernetes_service(self) -> str:
        """The ClusterIP that the apiserver gives to its own Service: the first of the range."""
        return str(self.services[1])

    def node_address(self, index: int) -> str:
        """Nodes take the first /24 of the pods' range."""
        return f"127.{self.pods_range}.0.{index + 1}"


@dataclass
class Claim:
    """A Network and the socket that holds it. The Network is ours as long as this process lives."""

    network: Network
    holder: socket.socket

    def close(self) -> None:
        self.holder.close()


def claim_network(preferred: int | None = None) -> Claim:
    """Take the preferred range if it is free, else the first free one."""
    candidates = [*([preferred] if preferred in _RANGES else []), *_RANGES]
    for number in candidates:
        holder = _take(f"\0plimsoll-sandbox-127.{number}")
        if holder is not None:
            return Claim(Network(number, number + 1, _free_ports(number)), holder)
    raise SandboxError(
        f"no loopback range is free: {len(_RANGES)} sandboxes run on this machine. "
        "Take one down with plimsoll-sandbox down"
    )


def _take(name: str) -> socket.socket | None:
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        holder.bind(name)
    except OSError as error:
        holder.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return holder


def _free_ports(services_range: int) -> dict[str, int]:
    """One free port per component, sought first where no other sandbox looks."""
    start = _RANGES.index(services_range) * _PORTS_PER_RANGE
    order = [_PORTS[(start + step) % len(_PORTS)] for step in range(len(_PORTS))]
    found: list[int] = []
    for port in order:
        if is_free("127.0.0.1", port):
            found.append(port)
        if len(found) == len(_PORT_NAMES):
            return dict(zip(_PORT_NAMES, found, strict=True))
    raise SandboxError(f"no {len(_PORT_NAMES)} free TCP ports between {_PORTS.start} and {_PORTS.stop} on 127.0.0.1")


def is_free(address: str, port: int) -> bool:
    """Whether one may listen there. With SO_REUSEADDR, as Go listens: connections that only linger do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError:
            return False
    return True
