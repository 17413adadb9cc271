"""Where figures come from: the command, the day, the hardware and the versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def origin(run: Mapping[str, Any]) -> str:
    """One sentence, from the fields `command`, `date`, `machine` and `versions`."""
    return f"`{run['command']}`, {run['date']}, {_machine(run['machine'])}; {_versions(run['versions'])}."


def stamp(command: str) -> dict[str, Any]:
    """The fields of a run of this checkout's server, today on this machine."""
    return {
        "command": command,
        "date": today(),
        "machine": machine(),
        "versions": {"plimsoll": commit()} | packages(("torch", "transformers")),
    }


def machine() -> dict[str, str | int | float]:
    """Nothing that names this very machine."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(memory / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def commit() -> str:
    """Of this checkout."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() or "no checkout"


def packages(names: Iterable[str]) -> dict[str, str]:
    """Their versions here."""
    return {f"python package {name}": importlib.metadata.version(name) for name in names}


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def _machine(machine: Mapping[str, Any]) -> str:
    return f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}"


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name.removeprefix('python package ')} {version}" for name, version in versions.items())
