"""Two builders at once: one works, the other waits and says for whom."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from plimsoll_sandbox.toolchain import ToolchainError
from plimsoll_sandbox.toolchain.lock import exclusive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
import pathlib, sys
from plimsoll_sandbox.toolchain.lock import exclusive
with exclusive(pathlib.Path(sys.argv[1]), 10, print):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held_by_another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            yield holder
        finally:
            holder.kill()


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        with exclusive(tmp_path / "lock", 1, said.append):
            pass
    assert said == []


def test_a_held_lock_is_waited_for_and_its_holder_named(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held_by_another_process(path) as holder:
        said: list[str] = []

        def told(message: str) -> None:
            said.append(message)
            assert holder.stdin is not None
            holder.stdin.write("\n")  # done with it
            holder.stdin.flush()

        with exclusive(path, 30, told):
            assert said == [f"Process {holder.pid} is building the same tools: waiting for it"]


def test_a_holder_that_dies_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held_by_another_process(path) as holder, exclusive(path, 30, lambda _: holder.kill()):
        pass


def test_a_lock_that_is_never_freed_ends_in_an_error_that_names_holder_and_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        held_by_another_process(path) as holder,
        pytest.raises(ToolchainError, match=rf"Process {holder.pid} has held {path} for more than 1 s.*end it"),
        exclusive(path, 1, lambda _: None),
    ):
        pass
