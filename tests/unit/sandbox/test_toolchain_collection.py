"""Files out of other projects' Go modules: fetched from a proxy that is a folder, and held to their pinned sums."""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plimsoll_sandbox.toolchain import ToolchainError
from plimsoll_sandbox.toolchain.collection import GITOPS_APIS, Collection, collect
from plimsoll_sandbox.toolchain.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plimsoll_sandbox.toolchain.progress import Job

PROJECT, VERSION, FILE = "example.test/project", "v1.2.3", "apis/thing.yaml"
GO_MOD = f"module {PROJECT}\n\ngo 1.26\n"


class Quiet:
    """Progress that nobody watches."""

    def note(self, message: str) -> None:
        pass

    @contextmanager
    def working(self, job: Job) -> Iterator[Callable[[int, str], None]]:
        yield lambda _done, _doing: None


def published(proxy: Path, content: str) -> None:
    """The project as a module proxy has it."""
    folder = proxy / PROJECT / "@v"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{VERSION}.info").write_text(f'{{"Version": "{VERSION}"}}')
    (folder / f"{VERSION}.mod").write_text(GO_MOD)
    with zipfile.ZipFile(folder / f"{VERSION}.zip", "w") as archive:
        for name, text in files(content).items():
            archive.writestr(name, text)


def files(content: str) -> dict[str, str]:
    return {f"{PROJECT}@{VERSION}/{name}": text for name, text in (("go.mod", GO_MOD), (FILE, content))}


def go_sum(content: str) -> str:
    return f"{PROJECT} {VERSION} {summed(files(content))}\n{PROJECT} {VERSION}/go.mod {summed({'go.mod': GO_MOD})}\n"


def summed(found: dict[str, str]) -> str:
    """Go's sum `h1` of some files (golang.org/x/mod/sumdb/dirhash): a hash over the sorted lines of theirs."""
    lines = "".join(f"{hashlib.sha256(found[name].encode()).hexdigest()}  {name}\n" for name in sorted(found))
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """It knows no module but those of the folder, and no database of sums."""
    environment = {**os.environ, "GOPROXY": f"file://{tmp_path / 'proxy'}", "GOSUMDB": "off"}
    return Workshop(tmp_path / "home", environment, Quiet())


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    module = tmp_path / "pins"
    module.mkdir()
    (module / "go.mod").write_text(f"module pins\n\ngo 1.26\n\nrequire (\n\t{PROJECT} {VERSION}\n)\n")
    (module / "go.sum").write_text(go_sum("kind: Thing\n"))
    return Collection("things", "they are looked at", module, {PROJECT: FILE}, 1, needs_mib=1, deadline_seconds=60)


def test_the_files_are_there_once_and_nothing_else(tmp_path: Path, workshop: Workshop, collection: Collection) -> None:
    published(tmp_path / "proxy", "kind: Thing\n")
    folder = collect(workshop, collection)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"thing.yaml": "kind: Thing\n"}
    (tmp_path / "proxy").rename(tmp_path / "gone")
    assert collect(workshop, collection) == folder


def test_what_differs_from_its_pinned_sum_is_refused(
    tmp_path: Path, workshop: Workshop, collection: Collection
) -> None:
    published(tmp_path / "proxy", "kind: Trojan\n")
    with pytest.raises(ToolchainError, match="checksum mismatch"):
        collect(workshop, collection)
    assert not list((tmp_path / "home" / "tools").glob("things*"))


def test_every_project_of_the_gitops_apis_is_pinned_with_its_sum() -> None:
    pinned = (GITOPS_APIS.module / "go.mod").read_text()
    sums = (GITOPS_APIS.module / "go.sum").read_text().splitlines()
    for project in GITOPS_APIS.files:
        [version] = [line.split()[1] for line in pinned.splitlines() if line.startswith(f"\t{project} ")]
        assert any(line.startswith(f"{project} {version} h1:") for line in sums), project
