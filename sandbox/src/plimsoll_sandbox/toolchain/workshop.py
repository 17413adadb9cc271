"""Finds every tool, and builds those that are missing: the one place that carries out what the recipes say."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plimsoll_sandbox.toolchain.command import Command, run
from plimsoll_sandbox.toolchain.disk import discard, remove_discarded, require_room, require_writable, used_mib
from plimsoll_sandbox.toolchain.errors import ToolchainError
from plimsoll_sandbox.toolchain.fingerprint import fingerprint, source_files
from plimsoll_sandbox.toolchain.go import build_environment, find_go, install_go
from plimsoll_sandbox.toolchain.lock import exclusive
from plimsoll_sandbox.toolchain.machine import on_machine, prints_version
from plimsoll_sandbox.toolchain.progress import Job
from plimsoll_sandbox.toolchain.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from plimsoll_sandbox.toolchain.progress import Progress
    from plimsoll_sandbox.toolchain.recipes import Recipe

GO_TOOLCHAIN_MIB = 300
LEAST_MIB = 512
OTHERS_DEADLINE_SECONDS = 3600
"""For whoever holds the lock and builds all that there is."""


@dataclass(frozen=True)
class Workshop:
    """The cache folder `home` with what is in it, and how to add to it."""

    home: Path
    environment: Mapping[str, str]
    progress: Progress

    @property
    def store(self) -> Store:
        return Store(self.home / "tools")

    @property
    def caches(self) -> Path:
        """Where Go keeps modules and what it has compiled."""
        return self.home / "go"

    @property
    def logs(self) -> Path:
        return self.home / "tools" / "logs"

    def ensure(self, recipes: Sequence[Recipe]) -> dict[str, Path]:
        """Path of each recipe's program, by name; builds what is missing."""
        if not self._missing(recipes):
            return self._found(recipes)
        with self._alone(sum(recipe.deadline_seconds for recipe in recipes)):
            missing = self._missing(recipes)  # whoever held the lock may have built them
            if missing:
                self._require_room(missing)
                self._build_all(missing)
        return self._found(recipes)

    def go(self) -> Path:
        """The Go that builds and fetches, installed now where this machine has none. The caller holds the lock."""
        found = find_go(self.environment, self.store).binary
        return found or install_go(self.environment, self.store, self.logs, self.progress)

    @contextmanager
    def adding(self, name: str, needs_mib: int) -> Iterator[Path | None]:
        """An empty folder that becomes `name` in the store when the block ends well; None where that is there already.

        The lock is held meanwhile, and Go's caches go in the end.
        """
        if self.store.find(name):
            yield None
            return
        with self._alone(OTHERS_DEADLINE_SECONDS):
            if self.store.find(name):  # whoever held the lock may have fetched it
                yield None
                return
            require_room(self.home, GO_TOOLCHAIN_MIB + needs_mib, f"fetching {name}")
            with self.store.adding(name) as folder:
                yield folder
            self._discard_caches()

    @contextmanager
    def _alone(self, deadline_seconds: float) -> Iterator[None]:
        """With the lock, for which so long is waited, and without what others left half done."""
        require_writable(self.store.folder)
        with exclusive(self.store.folder / "lock", deadline_seconds, self.progress.note):
            self.store.sweep()
            remove_discarded(self.home)
            yield

    def _missing(self, recipes: Sequence[Recipe]) -> list[Recipe]:
        found = self._found(recipes)
        return [recipe for recipe in recipes if recipe.name not in found]

    def _found(self, recipes: Sequence[Recipe]) -> dict[str, Path]:
        go = find_go(self.environment, self.store)
        found: dict[str, Path] = {}
        for recipe in recipes:
            built = self.store.find(fingerprint(recipe, go.version))
            binary = built / recipe.name if built else on_machine(recipe, self.environment)
            if binary:
                found[recipe.name] = binary
        return found

    def _require_room(self, missing: Sequence[Recipe]) -> None:
        needed = GO_TOOLCHAIN_MIB + sum(recipe.needs_mib for recipe in missing) - used_mib(self.caches)
        require_room(self.home, max(needed, LEAST_MIB), f"building {', '.join(recipe.name for recipe in missing)}")

    def _build_all(self, missing: Sequence[Recipe]) -> None:
        go = self.go()
        version = find_go(self.environment, self.store).version
        for recipe in missing:
            self._build(recipe, go, fingerprint(recipe, version))
        self._discard_caches()

    def _discard_caches(self) -> None:
        if self.environment.get("PLIMSOLL_KEEP_GO_CACHE") != "1":
            discard(self.caches)

    def _build(self, recipe: Recipe, go: Path, name: str) -> None:
        job = _job(recipe)
        with self.store.adding(name) as folder, self.progress.working(job) as report:
            sources = _copied_sources(recipe, folder / "src")
            counted = _PackageCount()
            command = Command(
                purpose=job.title,
                arguments=(str(go), "build", "-v", "-o", str(folder / recipe.name), *recipe.build_arguments),
                folder=sources,
                environment=build_environment(self.environment, self.caches),
                log=self.logs / f"{name}.log",
                deadline_seconds=recipe.deadline_seconds,
            )
            run(command, lambda line: report(counted.after(line), counted.latest))
            if not prints_version(folder / recipe.name, recipe):
                raise ToolchainError(
                    f"{recipe.name} was built and does not answer with version {recipe.version} "
                    f"to `{recipe.name} {' '.join(recipe.version_command)}`. Log: {command.log}"
                )
            for link in recipe.links:
                (folder / link).symlink_to(recipe.name)
            shutil.rmtree(sources)


def _job(recipe: Recipe) -> Job:
    return Job(
        title=f"Building {recipe.name}",
        purpose=recipe.purpose,
        expected_seconds=recipe.expected_seconds,
        parts=recipe.expected_packages,
        unit="packages",
    )


def _copied_sources(recipe: Recipe, target: Path) -> Path:
    """A copy to build from, so that an edit during a long build does not end up under the wrong hash."""
    for path in source_files(recipe.module):
        copy = target / path.relative_to(recipe.module)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return target


class _PackageCount:
    """Counts compiled packages in the output of `go build -v`: one per line, beside lines that start with `go: `."""

    def __init__(self) -> None:
        self.latest = ""
        self._packages = 0

    def after(self, line: str) -> int:
        if line:
            self.latest = line
            self._packages += not line.startswith("go: ")
        return self._packages
