"""GPU profiles as the sandbox needs them: what a node of that type advertises and how it is labelled and tainted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from plimsoll_sandbox.errors import SandboxError


@dataclass(frozen=True)
class Taint:
    """What keeps pods that do not tolerate it off a node."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True)
class GpuProfile:
    """One entry of the chart's `gpuProfiles`. Without a resource it is a plain node."""

    name: str
    resource_name: str = ""
    labels: Mapping[str, str] | None = None
    taints: tuple[Taint, ...] = ()


PLAIN = GpuProfile("cpu")


def load_profiles(path: Path | None) -> dict[str, GpuProfile]:
    """The profiles of a YAML file: a chart's values (`gpuProfiles:`) or the bare map. `cpu` is always there."""
    if path is None:
        return {PLAIN.name: PLAIN}
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise SandboxError(f"the GPU profiles cannot be read from {path}: {error}") from error
    table = document.get("gpuProfiles", document) if isinstance(document, Mapping) else document
    if not isinstance(table, Mapping):
        raise SandboxError(
            f"{path}: expected a map of GPU profiles, or one with them in `gpuProfiles`, found {table!r}"
        )
    return {PLAIN.name: PLAIN} | {str(name): _parse(str(name), entry, path) for name, entry in table.items()}


def checkout_profiles() -> Path | None:
    """The chart's values of the checkout this package runs from, if it does."""
    values = Path(__file__).resolve().parents[3] / "charts" / "plimsoll" / "values.yaml"
    return values if values.is_file() else None


def _parse(name: str, entry: Any, path: Path) -> GpuProfile:
    if not isinstance(entry, Mapping):
        raise SandboxError(f"{path}: gpuProfiles.{name}: expected a map such as {{memory: 23034Mi}}, found {entry!r}")
    tolerations = entry.get("tolerations") or ()
    return GpuProfile(
        name=name,
        resource_name=str(entry.get("resourceName") or ""),
        labels=dict(entry.get("nodeSelector") or {}),
        taints=tuple(_tolerated(toleration) for toleration in tolerations if toleration.get("key")),
    )


def _tolerated(toleration: Mapping[str, str]) -> Taint:
    """The taint that this toleration is for, as GPU nodes of managed clusters carry it."""
    return Taint(toleration["key"], toleration.get("value", "present"), toleration.get("effect") or "NoSchedule")
