"""Files that other projects publish in their Go modules, such as their APIs: fetched, verified, kept like a build."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plimsoll_sandbox.toolchain.command import Command, run
from plimsoll_sandbox.toolchain.errors import ToolchainError
from plimsoll_sandbox.toolchain.fingerprint import source_files
from plimsoll_sandbox.toolchain.go import build_environment
from plimsoll_sandbox.toolchain.progress import Job
from plimsoll_sandbox.toolchain.recipes import SANDBOX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from plimsoll_sandbox.toolchain.workshop import Workshop


@dataclass(frozen=True)
class Collection:
    """Files of several projects, by the path of each one's Go module."""

    name: str
    purpose: str  # completes the sentence "… is needed:"
    module: Path  # folder with the go.mod that pins the projects' versions, and the go.sum that has their hashes
    files: Mapping[str, str]  # a path within each project
    expected_seconds: int
    needs_mib: int  # of disk while it is fetched
    deadline_seconds: int


GITOPS_APIS = Collection(
    name="gitops-apis",
    purpose="the GitOps examples are checked by the APIs of Argo CD and Flux",
    module=SANDBOX / "gitopsapis",
    files={
        "github.com/argoproj/argo-cd/v3": "manifests/crds/application-crd.yaml",
        "github.com/fluxcd/helm-controller": "config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml",
        "github.com/fluxcd/kustomize-controller": "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
        "github.com/fluxcd/source-controller": "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
    },
    expected_seconds=20,
    needs_mib=200,
    deadline_seconds=900,
)


def collect(workshop: Workshop, collection: Collection) -> Path:
    """The folder with the files, fetched now where they are missing. Raises ToolchainError."""
    name = f"{collection.name}-{_digest(collection)}"
    with workshop.adding(name, collection.needs_mib) as folder:
        if folder is not None:
            _fetch(workshop, collection, name, folder)
    return workshop.store.folder / name


def _digest(collection: Collection) -> str:
    digest = hashlib.sha256(repr(sorted(collection.files.items())).encode())
    for path in source_files(collection.module):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _fetch(workshop: Workshop, collection: Collection, name: str, folder: Path) -> None:
    job = Job(f"Fetching {collection.name}", collection.purpose, collection.expected_seconds, parts=0, unit="")
    go, pins = workshop.go(), folder / "pins"
    pins.mkdir()
    for path in source_files(collection.module):
        shutil.copyfile(path, pins / path.name)
    with workshop.progress.working(job) as report:
        command = Command(
            purpose=job.title,
            # Go compares each module with go.sum, and takes none that differs.
            arguments=(str(go), "mod", "download"),
            folder=pins,
            environment=build_environment(workshop.environment, workshop.caches),
            log=workshop.logs / f"{name}.log",
            deadline_seconds=collection.deadline_seconds,
        )
        run(command, lambda line: report(0, line))
    _copy_files(workshop, collection, pins, folder)
    shutil.rmtree(pins)


def _copy_files(workshop: Workshop, collection: Collection, pins: Path, folder: Path) -> None:
    pinned = re.findall(r"^\t(\S+) (v\S+)$", (pins / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    for project, version in pinned:
        source = workshop.caches / "mod" / f"{project}@{version}" / collection.files[project]
        if not source.is_file():
            raise ToolchainError(
                f"{project} {version} was expected to have the file {collection.files[project]}, and has not. "
                "Name the one that has its API in the toolchain's collection.py."
            )
        shutil.copyfile(source, folder / source.name)
