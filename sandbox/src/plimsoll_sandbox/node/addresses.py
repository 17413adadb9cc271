"""Addresses for pods: each its own, and one just given back is the last to be given again."""

from __future__ import annotations

import ipaddress

from plimsoll_sandbox.errors import SandboxError


class Addresses:
    """127.N.1.1 up to 127.N.255.254; 127.N.0.x are the nodes'."""

    def __init__(self, pods_range: int) -> None:
        self._first = int(ipaddress.IPv4Address(f"127.{pods_range}.1.1"))
        self._count = int(ipaddress.IPv4Address(f"127.{pods_range}.255.254")) - self._first + 1
        self._taken: set[str] = set()
        self._next = 0

    def take(self) -> str:
        for _ in range(self._count):
            address = str(ipaddress.IPv4Address(self._first + self._next))
            self._next = (self._next + 1) % self._count
            if address not in self._taken and not address.endswith((".0", ".255")):
                self._taken.add(address)
                return address
        raise SandboxError(f"all {self._count} addresses of pods are in use")

    def give_back(self, address: str) -> None:
        self._taken.discard(address)
