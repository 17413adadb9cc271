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
DEADLINE_SECONDS = 600

SHAPE = ("--quiet", "--no-header", "--no-annotate")
EXPORT = ("export", *SHAPE, "--format", "requirements-txt", "--no-emit-workspace")
EXPORTS = {
    "requirements.lock": ("--all-packages", "--all-groups"),
    "operator/requirements.lock": ("--package", "plimsoll-operator"),
    "server/requirements.lock": ("--package", "plimsoll-server"),
}

RESOLVE = ("pip", "compile", "-", *SHAPE, "--generate-hashes", "--universal", "--python-version", "3.11")
COMPILE = (*RESOLVE, "--constraint", "requirements.lock")
# What builds our wheels and flash-attn's, and what the optional flash stage of the server's image adds. The latter's
# own requirements are not followed: resolving them would build flash-attn, and its build imports torch.
COMPILED = {
    "requirements-build.lock": ("hatchling\nninja\npackaging\npsutil\nsetuptools\nwheel\n", ()),
    "server/requirements-flash.lock": ("einops\nflash-attn>=2.8\n", ("--no-deps",)),
}

# What the server is measured against, in an environment of its own. Only PyTorch is held to our version: it does the
# arithmetic for both.
INFINITY = "infinity-emb[server,torch]==0.0.78\n"


def main() -> None:
    """Write every lock. Raises CalledProcessError when one cannot be resolved."""
    _uv("lock", *sys.argv[1:])
    for path, which in EXPORTS.items():
        _uv(*EXPORT, *which, "--output-file", path)
    for path, (wanted, options) in COMPILED.items():
        _uv(*COMPILE, *options, "--output-file", path, stdin=wanted)
    _uv(*RESOLVE, "--output-file", "benchmarks/infinity.lock", stdin=INFINITY + _pinned("torch"))


def _pinned(package: str) -> str:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return next(line.partition(" ")[0] for line in lines if line.startswith(f"{package}=="))


def _uv(*arguments: str, stdin: str = "") -> None:
    command = [str(uv_program()), *arguments]
    subprocess.run(  # noqa: S603  the arguments are our own
        command, cwd=ROOT, input=stdin, text=True, timeout=DEADLINE_SECONDS, check=True, stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    main()
