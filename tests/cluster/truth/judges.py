"""What kstatus makes of an object, as Flux and kpt use it. What Argo CD does is in `argo_lua`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

DEADLINE_SECONDS = 30


def kstatus(program: Path, objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """Current, InProgress or Failed of each object, by the library itself."""
    lines = "".join(f"{json.dumps(found)}\n" for found in objects)
    done = subprocess.run([program], input=lines, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=True)
    return [json.loads(line)["status"] for line in done.stdout.splitlines()]
