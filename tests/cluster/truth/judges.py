"""What others make of an object: kstatus, as Flux and kpt use it, and Argo CD with the health script that we ship."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lupa.lua51 import LuaRuntime

HEALTH_SCRIPT = Path(__file__).parents[3] / "docs" / "argocd-health.lua"
DEADLINE_SECONDS = 30


def kstatus(program: Path, objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """Current, InProgress or Failed of each object, by the library itself."""
    lines = "".join(f"{json.dumps(found)}\n" for found in objects)
    done = subprocess.run([program], input=lines, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=True)
    return [json.loads(line)["status"] for line in done.stdout.splitlines()]


def argo_health(found: Mapping[str, Any]) -> str:
    """Healthy, Progressing, Degraded or Suspended, by the script as Argo CD runs it: with the object in `obj`."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.globals()["obj"] = lua.table_from(found, recursive=True)
    health: Any = lua.execute(HEALTH_SCRIPT.read_text(encoding="utf-8"))
    assert health.message
    return str(health.status)
