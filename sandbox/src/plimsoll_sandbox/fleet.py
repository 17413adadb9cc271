"""Which nodes a sandbox has: what was asked for on the command line, turned into nodes with labels and capacities."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.gpu_profiles import GpuProfile, Taint
from plimsoll_sandbox.network import Network

_MOST_NODES = 200
# Nodes are roomier than the machine: requests only steer the scheduler, and GPUs are what shall run out.
_CPUS = 16
_PODS = 110
_DISK = "100Gi"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class NodeGroup:
    """`PROFILE[:COUNT[:GPUS]]`: so many nodes of a profile, each with so many of its GPUs."""

    profile: str
    count: int = 1
    gpus: int = 1

    @classmethod
    def parse(cls, text: str) -> NodeGroup:
        profile, *numbers = text.split(":")
        valid = bool(profile) and len(numbers) <= 2 and all(part.isdigit() and int(part) > 0 for part in numbers)
        if not valid:
            raise SandboxError(
                f"--node {text}: expected PROFILE, PROFILE:COUNT or PROFILE:COUNT:GPUS, such as nvidia-l4:2"
            )
        return cls(profile, *(int(part) for part in numbers))

    def __str__(self) -> str:
        return f"{self.profile}:{self.count}:{self.gpus}"


DEFAULT_GROUPS = (NodeGroup("cpu"), NodeGroup("nvidia-l4", 2))


@dataclass(frozen=True)
class Node:
    """One node, as the node agent registers it."""

    name: str
    address: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    capacity: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Node:
        return cls(**{**value, "taints": tuple(Taint(**taint) for taint in value["taints"])})


def plan_nodes(groups: Sequence[NodeGroup], profiles: Mapping[str, GpuProfile], network: Network) -> tuple[Node, ...]:
    """Nodes named PROFILE-N, numbered over all groups of a profile."""
    if sum(group.count for group in groups) > _MOST_NODES:
        raise SandboxError(f"at most {_MOST_NODES} nodes are supported, asked for: {', '.join(map(str, groups))}")
    nodes: list[Node] = []
    numbers: dict[str, int] = {}
    for group in groups:
        profile = _known(group.profile, profiles)
        for _ in range(group.count):
            number = numbers.get(profile.name, 0)
            numbers[profile.name] = number + 1
            nodes.append(_node(f"{profile.name}-{number}", profile, group.gpus, network.node_address(len(nodes))))
    return tuple(nodes)


def check_groups(groups: Sequence[NodeGroup], profiles: Mapping[str, GpuProfile]) -> None:
    """Raises SandboxError when a group names a profile that is not there."""
    for group in groups:
        _known(group.profile, profiles)


def _known(name: str, profiles: Mapping[str, GpuProfile]) -> GpuProfile:
    if name not in profiles:
        raise SandboxError(f"there is no GPU profile {name!r}; known are {', '.join(sorted(profiles))}")
    return profiles[name]


def _node(name: str, profile: GpuProfile, gpus: int, address: str) -> Node:
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": _ARCHITECTURES.get(platform.machine(), platform.machine()),
    }
    memory = f"{_machine_memory() // 1024}Ki"
    capacity = {"cpu": str(_CPUS), "memory": memory, "ephemeral-storage": _DISK, "pods": str(_PODS)}
    if profile.resource_name:
        capacity[profile.resource_name] = str(gpus)
    return Node(name, address, labels | dict(profile.labels or {}), profile.taints, capacity)


def _machine_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
