"""GPU profiles: what a GPU type offers and where its nodes are. Data of the chart; a new type is an entry, no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plimsoll_operator.quantity import parse_bytes


class InvalidGpuProfileError(ValueError):
    """The profile table cannot be read; the message names the entry and the field."""


@dataclass(frozen=True)
class GpuProfile:
    """One GPU type.

    `memory_bytes` is a device's memory as nvidia-smi reports it. Without a `resource_name` the profile is a CPU:
    its memory is the container's limit, `memory_bytes` unless the object states one.
    """

    name: str
    memory_bytes: int
    resource_name: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_gpu(self) -> bool:
        return bool(self.resource_name)


def parse_gpu_profiles(table: Mapping[str, Any]) -> dict[str, GpuProfile]:
    """Read the chart's `gpuProfiles` map. Raises InvalidGpuProfileError."""
    return {name: _parse_profile(name, entry) for name, entry in table.items()}


def _parse_profile(name: str, entry: Any) -> GpuProfile:
    if not isinstance(entry, Mapping) or "memory" not in entry:
        raise InvalidGpuProfileError(f"gpuProfiles.{name}: expected a map with `memory` (23034Mi), found {entry!r}")
    try:
        memory = parse_bytes(entry["memory"])
    except ValueError as error:
        raise InvalidGpuProfileError(f"gpuProfiles.{name}.memory: {error}") from error
    return GpuProfile(
        name=name,
        memory_bytes=memory,
        resource_name=str(entry.get("resourceName", "")),
        node_selector=dict(entry.get("nodeSelector") or {}),
        tolerations=tuple(entry.get("tolerations") or ()),
    )
