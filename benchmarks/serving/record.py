"""What was measured, on disk: one document, of which each part tells where it comes from."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from origin import ROOT, commit, machine, packages, today
from serving.infinity import version as infinity_version

PUBLISHED = ROOT / "benchmarks"
LOOKED_AT = ROOT / ".local" / "benchmarks"
"""What a quick run, or one on a shared machine, has found: to look at and not to publish."""
NAME = "server"


def keep(part: str, figures: Sequence[Any], command: str, folder: Path, *, shared: bool) -> None:
    """Put the figures, each a dataclass, in the place of the part's former ones."""
    path = folder / f"{NAME}.json"
    document = json.loads(path.read_text()) if path.exists() else {}
    if folder == LOOKED_AT:
        # Nobody publishes those of another checkout, whose figures may be of another kind.
        document = {name: kept for name, kept in document.items() if kept["versions"]["plimsoll"] == commit()}
    document[part] = {
        "command": command,
        "date": today(),
        "machine": machine(),
        "versions": _versions(),
        "load_average": round(os.getloadavg()[0], 1),
        "clock": "processor" if shared else "wall",
        "figures": [asdict(figure) for figure in figures],
    }
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    partial.rename(path)


def _versions() -> dict[str, str]:
    python = {"plimsoll": commit(), "python": platform.python_version()}
    return python | packages(("torch", "transformers", "uvicorn")) | {"infinity-emb": infinity_version()}
