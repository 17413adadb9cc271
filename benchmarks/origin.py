"""Where figures come from: the command, the day, the hardware and the versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def origin(run: Mapping[str, Any]) -> str:
    """One sentence, from the fields `command`, `date`, `machine` and `versions`."""
    return f"`{run['command']}`, {run['date']}, {_machine(run['machine'])}; {_versions(run['versions'])}."


def _machine(machine: Mapping[str, Any]) -> str:
    return f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}"


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name.removeprefix('python package ')} {version}" for name, version in versions.items())
