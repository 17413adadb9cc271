"""A build is in the store completely, or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from plimsoll_sandbox.toolchain.store import Store

if TYPE_CHECKING:
    from pathlib import Path

KILLED_WHILE_ADDING = """
import os, pathlib, signal, sys
from plimsoll_sandbox.toolchain.store import Store
with Store(pathlib.Path(sys.argv[1])).adding("tool") as folder:
    (folder / "program").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_build_is_there_once_its_block_has_ended(store: Store) -> None:
    with store.adding("tool") as folder:
        (folder / "program").write_text("whole")
        assert store.find("tool") is None
    found = store.find("tool")
    assert found is not None
    assert (found / "program").read_text() == "whole"
    assert [path.name for path in store.folder.iterdir()] == ["tool"]


def test_others_may_run_what_one_user_has_built(store: Store) -> None:
    with store.adding("tool"):
        pass
    found = store.find("tool")
    assert found is not None
    assert found.stat().st_mode & 0o777 == 0o755


def test_a_failed_build_leaves_nothing(store: Store) -> None:
    def half_a_build() -> None:
        with store.adding("tool") as folder:
            (folder / "program").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_a_build()
    assert list(store.folder.iterdir()) == []


def test_what_a_killed_build_leaves_is_never_found_and_is_swept(store: Store) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED_WHILE_ADDING, str(store.folder)], timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL
    assert store.find("tool") is None
    assert len(list(store.folder.iterdir())) == 1
    store.sweep()
    assert list(store.folder.iterdir()) == []


def test_sweeping_leaves_finished_builds_alone(store: Store) -> None:
    with store.adding("tool"):
        pass
    store.sweep()
    assert store.find("tool") is not None
