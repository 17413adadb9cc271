"""Small real Go programs, built as the large ones are."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from rich.console import Console

from plimsoll_sandbox.toolchain import ToolchainError, plimsoll_home
from plimsoll_sandbox.toolchain.go import find_go, install_go
from plimsoll_sandbox.toolchain.lock import exclusive
from plimsoll_sandbox.toolchain.progress import Job, PlainProgress
from plimsoll_sandbox.toolchain.recipes import Recipe
from plimsoll_sandbox.toolchain.store import Store
from plimsoll_sandbox.toolchain.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCE = """package main

import "os"

var version = "none"

func main() {
	os.Stdout.WriteString("greeter " + version + "\\n")
}
"""

# The whole of `ensure` in a process of its own, which can be killed.
ENSURE = """
import os, pathlib, sys
sys.path.insert(0, str(pathlib.Path(sys.argv[1]).parent))
from rich.console import Console
from test_toolchain_workshop import make_recipe
from plimsoll_sandbox.toolchain.progress import PlainProgress
from plimsoll_sandbox.toolchain.workshop import Workshop
home, module = map(pathlib.Path, sys.argv[2:])
print(Workshop(home, os.environ, PlainProgress(Console(width=500))).ensure([make_recipe(module)]))
"""


def make_recipe(module: Path, version: str = "1.2.3", needs_mib: int = 1) -> Recipe:
    return Recipe(
        name="greeter",
        purpose="it greets",
        module=module,
        package=".",
        version_command=(),
        version=version,
        variables=(("main.version", "1.2.3"),),
        links=("hello",),
        expected_seconds=5,
        expected_packages=50,
        needs_mib=needs_mib,
        deadline_seconds=120,
    )


class Recorder:
    """Remembers what was said."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.jobs: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    @contextmanager
    def working(self, job: Job) -> Iterator[Callable[[int, str], None]]:
        self.jobs.append(job.title)
        yield lambda _done, _doing: None


@pytest.fixture(scope="session")
def go() -> Path:
    """The Go that the real builds use."""
    store = Store(plimsoll_home() / "tools")
    found = find_go(os.environ, store).binary
    if found:
        return found
    store.folder.mkdir(parents=True, exist_ok=True)
    progress = PlainProgress(Console(quiet=True))
    with exclusive(store.folder / "lock", 600, progress.note):
        return find_go(os.environ, store).binary or install_go(os.environ, store, store.folder / "logs", progress)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build cache that the tests share, or each would compile Go's standard library anew."""
    return tmp_path_factory.mktemp("go-build")


@pytest.fixture
def home(tmp_path: Path, compiled: Path) -> Path:
    home = tmp_path / "home"
    (home / "go").mkdir(parents=True)
    (home / "go" / "build").symlink_to(compiled)
    return home


@pytest.fixture
def module(tmp_path: Path) -> Path:
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module example.test/greeter\n\ngo 1.26\n")
    (module / "main.go").write_text(SOURCE)
    return module


@pytest.fixture
def environment(go: Path, tmp_path: Path) -> dict[str, str]:
    path = f"{go.parent}:/usr/bin:/bin"
    return {"PATH": path, "HOME": str(tmp_path), "GOPROXY": "off", "PLIMSOLL_KEEP_GO_CACHE": "1"}


@pytest.fixture
def progress() -> Recorder:
    return Recorder()


@pytest.fixture
def workshop(home: Path, environment: dict[str, str], progress: Recorder) -> Workshop:
    return Workshop(home, environment, progress)


def output_of(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, timeout=60, check=True).stdout


def partial_builds(home: Path) -> list[Path]:
    return list((home / "tools").glob(".partial-*"))


def test_a_missing_program_is_built_with_its_links_and_nothing_else(
    workshop: Workshop, progress: Recorder, module: Path
) -> None:
    program = workshop.ensure([make_recipe(module)])["greeter"]
    assert output_of(program) == output_of(program.parent / "hello") == "greeter 1.2.3\n"
    assert sorted(path.name for path in program.parent.iterdir()) == ["greeter", "hello"]
    assert progress.jobs == ["Building greeter"]


def test_what_is_built_is_not_built_again(workshop: Workshop, progress: Recorder, module: Path) -> None:
    first = workshop.ensure([make_recipe(module)])
    assert workshop.ensure([make_recipe(module)]) == first
    assert progress.jobs == ["Building greeter"]


def test_a_changed_source_is_built_beside_the_old_one(workshop: Workshop, module: Path) -> None:
    before = workshop.ensure([make_recipe(module)])["greeter"]
    (module / "main.go").write_text(SOURCE.replace("greeter ", "changed "))
    after = workshop.ensure([make_recipe(module)])["greeter"]
    assert output_of(before) == "greeter 1.2.3\n"
    assert output_of(after) == "changed 1.2.3\n"


def test_a_fitting_program_of_the_machine_saves_the_build(
    workshop: Workshop, environment: dict[str, str], progress: Recorder, module: Path, tmp_path: Path
) -> None:
    own = tmp_path / "bin" / "greeter"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\necho greeter 1.2.3\n")
    own.chmod(0o755)
    environment["PATH"] = f"{own.parent}:{environment['PATH']}"
    assert workshop.ensure([make_recipe(module)]) == {"greeter": own}
    assert progress.jobs == []


def test_a_mistake_in_a_source_shows_the_compilers_words_and_installs_nothing(
    workshop: Workshop, home: Path, module: Path
) -> None:
    (module / "main.go").write_text(SOURCE + "\nfunc broken() { undefinedThing() }\n")
    with pytest.raises(ToolchainError, match=r"Building greeter failed with status 1") as failure:
        workshop.ensure([make_recipe(module)])
    assert "undefined: undefinedThing" in str(failure.value)
    assert [path.name for path in (home / "tools").iterdir() if path.is_dir()] == ["logs"]


def test_a_program_that_is_not_the_pinned_version_is_not_installed(
    workshop: Workshop, home: Path, module: Path
) -> None:
    with pytest.raises(ToolchainError, match=r"greeter was built and does not answer with version 9\.9\.9"):
        workshop.ensure([make_recipe(module, version="9.9.9")])
    assert [path.name for path in (home / "tools").iterdir() if path.is_dir()] == ["logs"]


def test_without_a_network_the_error_says_so_and_names_no_registry(
    workshop: Workshop, environment: dict[str, str], module: Path
) -> None:
    environment["GOPROXY"] = "http://127.0.0.1:9"
    sums = "".join(f"example.test/other v1.0.0{kind} h1:{'A' * 43}=\n" for kind in ("", "/go.mod"))
    (module / "go.mod").write_text("module example.test/greeter\n\ngo 1.26\n\nrequire example.test/other v1.0.0\n")
    (module / "go.sum").write_text(sums)
    (module / "main.go").write_text(SOURCE.replace('import "os"', 'import (\n\t"os"\n\t_ "example.test/other"\n)'))
    with pytest.raises(ToolchainError, match="A package registry could not be reached") as failure:
        workshop.ensure([make_recipe(module)])
    assert "127.0.0.1" not in str(failure.value)


def test_a_disk_without_room_is_found_before_the_build(workshop: Workshop, progress: Recorder, module: Path) -> None:
    with pytest.raises(ToolchainError, match=r"building greeter needs .* PLIMSOLL_HOME"):
        workshop.ensure([make_recipe(module, needs_mib=1 << 40)])
    assert progress.jobs == []


def test_a_home_that_cannot_be_written_is_named(environment: dict[str, str], progress: Recorder, module: Path) -> None:
    with pytest.raises(ToolchainError, match=r"cache folder /dev/null/tools cannot be written"):
        Workshop(Path("/dev/null"), environment, progress).ensure([make_recipe(module)])


def test_go_caches_are_kept_only_on_demand(workshop: Workshop, environment: dict[str, str], module: Path) -> None:
    workshop.ensure([make_recipe(module)])
    assert (workshop.home / "go").exists()
    del environment["PLIMSOLL_KEEP_GO_CACHE"]
    (module / "main.go").write_text(SOURCE.replace("greeter ", "changed "))
    workshop.ensure([make_recipe(module)])
    assert not (workshop.home / "go").exists()
    wait_for(lambda: [path.name for path in workshop.home.iterdir()] == ["tools"], "the removal in the background")


@contextmanager
def ensuring_elsewhere(home: Path, module: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", ENSURE, __file__, str(home), str(module)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(condition: Callable[[], bool], what: str, within_seconds: float = 60) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_seconds} s: {what}"
        time.sleep(0.02)


@pytest.mark.slow
def test_a_build_that_is_killed_half_way_can_be_started_again(
    tmp_path: Path, environment: dict[str, str], progress: Recorder, module: Path
) -> None:
    cold = tmp_path / "cold"  # where compiling the standard library leaves the time to be killed
    with ensuring_elsewhere(cold, module, environment) as process:
        wait_for(lambda: any(log.stat().st_size for log in cold.glob("tools/logs/*.log")), "a first compiled package")
        builders = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
    assert builders
    wait_for(lambda: not any(builder.is_running() for builder in builders), "the end of go and its compilers")
    assert len(partial_builds(cold)) == 1

    program = Workshop(cold, environment, progress).ensure([make_recipe(module)])["greeter"]
    assert output_of(program) == "greeter 1.2.3\n"
    assert partial_builds(cold) == []


@pytest.mark.slow
def test_two_at_once_build_once(tmp_path: Path, environment: dict[str, str], module: Path) -> None:
    cold = tmp_path / "cold"
    with ensuring_elsewhere(cold, module, environment) as first:
        wait_for(lambda: bool(partial_builds(cold)), "the first one's build")
        with ensuring_elsewhere(cold, module, environment) as second:
            said = [process.communicate(timeout=120)[0] for process in (first, second)]
    assert first.returncode == second.returncode == 0
    assert "Building greeter" in said[0]
    assert f"Process {first.pid} is building the same tools: waiting for it" in said[1]
    assert "Building greeter" not in said[1]
    assert said[0].splitlines()[-1] == said[1].splitlines()[-1]
