"""Resolve the dependencies and write the hash-locked requirement files. `make lock`.

`requirements.lock` is everything for development; the images install their own subset of the same resolution. None of
them names an index (docs/decisions/0001-a-lock-without-an-index.md).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bootstrap import uv_program

ROOT = Path(__file__).resolve().parent
EXPORT = ("export", "--quiet", "--format", "requirements-txt", "--no-emit-workspace", "--no-header", "--no-annotate")
LOCKS = {
    "requirements.lock": ("--all-packages", "--all-groups"),
    "operator/requirements.lock": ("--package", "plimsoll-operator"),
    "server/requirements.lock": ("--package", "plimsoll-server"),
}
DEADLINE_SECONDS = 600


def main() -> int:
    """Exit status of the first command that fails, else 0."""
    uv = uv_program()
    commands = [["lock", *sys.argv[1:]], *([*EXPORT, *which, "--output-file", path] for path, which in LOCKS.items())]
    for command in commands:
        done = subprocess.run([uv, *command], cwd=ROOT, timeout=DEADLINE_SECONDS, check=False)  # noqa: S603
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
