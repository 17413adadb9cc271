"""Where figures were taken: hardware, system and versions. Nothing that names the very machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plimsoll_server.engine.cpus import usable_cpus

PACKAGES = ("torch", "transformers")


def origin(command: str, packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """`command` as a person types it, without folders of this machine."""
    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(packages),
    }


def machine() -> dict[str, str | int]:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": usable_cpus(),
        "memory_gib": round(memory / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    ours = {"plimsoll": importlib.metadata.version("plimsoll-server"), "python": platform.python_version()}
    return ours | {name: importlib.metadata.version(name) for name in packages}
