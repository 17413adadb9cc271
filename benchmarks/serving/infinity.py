"""Infinity, in an environment of its own: it wants older versions of what the server uses."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from bootstrap import ROOT, home, only_one, run, uv_program

LOCK = ROOT / "benchmarks" / "infinity.lock"


def infinity_environment() -> Path:
    """Made on the first call from the lock file, and kept in the cache. Raises bootstrap's SetupError."""
    wanted = hashlib.sha256(f"{sys.version}\0".encode() + LOCK.read_bytes()).hexdigest()[:16]
    folder = home() / "bench" / f"infinity-{wanted}"
    complete = folder / "complete"
    if not complete.exists():
        with only_one():
            if not complete.exists():
                _install(folder)
                complete.touch()
    return folder


def version() -> str:
    """That the lock file pins."""
    line = next(line for line in LOCK.read_text().splitlines() if line.startswith("infinity-emb"))
    return line.partition("==")[2].partition(" ")[0]


def _install(folder: Path) -> None:
    uv = str(uv_program())
    for older in folder.parent.glob("infinity-*"):
        shutil.rmtree(older)
    run("Making an environment for Infinity", [uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
    run(
        "Installing Infinity as benchmarks/infinity.lock pins it",
        [uv, "pip", "sync", "--python", str(folder / "bin" / "python"), "--require-hashes", str(LOCK)],
    )
