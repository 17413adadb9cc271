"""Whether this machine can run the server at all, asked before it is started."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from plimsoll_server.engine.cpus import usable_cpus
from plimsoll_server.trial.checks import Check
from plimsoll_server.trial.subject import Subject

_GIB = 1 << 30
_LEAST_MEMORY = 2 * _GIB
_LEAST_DISK = _GIB // 4


def infrastructure_checks(subject: Subject) -> list[Check]:
    python = ".".join(map(str, sys.version_info[:3]))
    weights = sorted(file.name for file in subject.folder.glob("*.safetensors"))
    tokenizer = (subject.folder / "tokenizer.json").is_file()
    memory, disk = _available_memory(), shutil.disk_usage("/tmp").free  # noqa: S108  where the trial's log goes
    processors = usable_cpus()
    return [
        Check("Python", sys.version_info >= (3, 11), "3.11 or later", python),
        Check("processors", processors >= 1, "1 or more", str(processors)),
        Check("memory", memory >= _LEAST_MEMORY, "2 GiB or more available", f"{memory / _GIB:.1f} GiB"),
        Check("disk", disk >= _LEAST_DISK, "256 MiB or more free", f"{disk / _GIB:.1f} GiB"),
        Check("weights", bool(weights), "in safetensors", ", ".join(weights) or "none"),
        Check("tokenizer", tokenizer, "tokenizer.json", "there" if tokenizer else "missing"),
    ]


def _available_memory() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)
