"""A program of the machine stands in only when it is exactly the pinned version."""

from __future__ import annotations

from pathlib import Path

import pytest

from plimsoll_sandbox.toolchain.machine import on_machine
from plimsoll_sandbox.toolchain.recipes import Recipe

PROMETHEUS_ANSWER = "prometheus, version 3.15.0 (branch: HEAD, revision: abc)\n  go version: go1.26.6"


def make_recipe(version: str = "3.15.0", on_machine: bool = True) -> Recipe:
    return Recipe(
        name="prometheus",
        purpose="it is tested",
        module=Path("/nonexistent"),
        package=".",
        version_command=("--version",),
        version=version,
        expected_seconds=1,
        expected_packages=1,
        needs_mib=1,
        deadline_seconds=60,
        on_machine=on_machine,
    )


def install(folder: Path, answer: str, status: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "prometheus"
    program.write_text(f"#!/bin/sh\n[ \"$*\" = --version ] || exit 9\ncat <<'END'\n{answer}\nEND\nexit {status}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("answer", "status", "fits"),
    [
        pytest.param(PROMETHEUS_ANSWER, 0, True, id="the-pinned-version"),
        pytest.param("3.15.0", 0, True, id="the-version-alone"),
        pytest.param("prometheus, version 3.15.1", 0, False, id="a-later-patch"),
        pytest.param("prometheus, version 3.14.0", 0, False, id="an-earlier-one"),
        pytest.param("prometheus, version 3.15.0-rc.1", 0, False, id="a-candidate-of-it"),
        pytest.param("prometheus, version 13.15.0", 0, False, id="a-version-that-ends-the-same"),
        pytest.param("development", 0, False, id="no-version"),
        pytest.param(PROMETHEUS_ANSWER, 1, False, id="an-answer-with-an-error"),
    ],
)
def test_a_program_on_path_is_used_when_its_version_is_the_pinned_one(
    tmp_path: Path, answer: str, status: int, fits: bool
) -> None:
    program = install(tmp_path, answer, status)
    found = on_machine(make_recipe(), {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert found == (program if fits else None)


def test_kubebuilder_assets_come_before_path(tmp_path: Path) -> None:
    install(tmp_path / "path", "3.15.0")
    asset = install(tmp_path / "assets", "3.15.0")
    environment = {"PATH": f"{tmp_path / 'path'}:/usr/bin:/bin", "KUBEBUILDER_ASSETS": str(tmp_path / "assets")}
    assert on_machine(make_recipe(), environment) == asset


def test_a_recipe_that_nothing_can_stand_in_for_is_always_built(tmp_path: Path) -> None:
    install(tmp_path, "3.15.0")
    assert on_machine(make_recipe(on_machine=False), {"PATH": str(tmp_path)}) is None


def test_a_machine_without_the_program_is_no_error(tmp_path: Path) -> None:
    assert on_machine(make_recipe(), {"PATH": str(tmp_path)}) is None
    assert on_machine(make_recipe(), {}) is None


def test_a_file_that_is_no_program_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "prometheus").write_bytes(b"\x00\x01")
    (tmp_path / "prometheus").chmod(0o755)
    assert on_machine(make_recipe(), {"PATH": str(tmp_path)}) is None
