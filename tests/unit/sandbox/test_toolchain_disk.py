"""A disk without room is found before a build, and its error names the folder and the way out."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plimsoll_sandbox.toolchain import ToolchainError, plimsoll_home
from plimsoll_sandbox.toolchain.disk import remove_discarded, require_room, require_writable, used_mib

# A disk of 64 KiB in a mount namespace of its own, which needs no privilege where user namespaces are allowed.
IN_A_SMALL_DISK = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec")
ON_A_SMALL_DISK = """
import pathlib, sys
from plimsoll_sandbox.toolchain import ToolchainError
from plimsoll_sandbox.toolchain.disk import require_room, require_writable
folder = pathlib.Path(sys.argv[1])
(folder / "filler").write_bytes(bytes(int(sys.argv[2])))
try:
    require_writable(folder / "tools")
    require_room(folder, 4096, "building helm")
except ToolchainError as error:
    print(error)
"""


def told_on_a_small_disk(folder: Path, filled_bytes: int) -> str:
    script = 'mount -t tmpfs -o size=64k small "$1"; shift; exec "$@"'
    command = [*IN_A_SMALL_DISK, script, "sh", str(folder)]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], check=False).returncode != 0:
        pytest.skip("this machine does not let its users mount a small disk")
    program = [sys.executable, "-c", ON_A_SMALL_DISK, str(folder), str(filled_bytes)]
    return subprocess.run([*command, *program], capture_output=True, text=True, timeout=60, check=True).stdout


def test_too_little_room_names_folder_free_space_need_and_way_out(tmp_path: Path) -> None:
    message = told_on_a_small_disk(tmp_path, filled_bytes=0)
    assert f"The disk of {tmp_path} has 0.0 GiB free, and building helm needs 4.0 GiB." in message
    assert "PLIMSOLL_HOME" in message


def test_a_full_disk_is_told_apart_from_a_forbidden_one(tmp_path: Path) -> None:
    message = told_on_a_small_disk(tmp_path, filled_bytes=64 * 1024)
    assert f"{tmp_path / 'tools'} is full" in message
    assert "PLIMSOLL_HOME" in message


@pytest.mark.parametrize(
    "folder",
    [
        pytest.param(Path("/proc/plimsoll"), id="a-file-system-that-takes-no-folders"),
        pytest.param(Path("/dev/null/plimsoll"), id="below-a-file"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named_with_the_way_out(folder: Path) -> None:
    with pytest.raises(ToolchainError, match=rf"cache folder {folder} cannot be written.*PLIMSOLL_HOME"):
        require_writable(folder)


def test_a_folder_is_created_when_it_can_be(tmp_path: Path) -> None:
    require_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_enough_room_passes(tmp_path: Path) -> None:
    require_room(tmp_path, 1, "building helm")


def test_used_space_is_counted_in_mebibytes(tmp_path: Path) -> None:
    assert used_mib(tmp_path / "absent") == 0
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(bytes(3 << 20))
    assert used_mib(tmp_path) == 3


def test_what_an_interrupted_removal_left_is_removed_the_next_time(tmp_path: Path) -> None:
    (tmp_path / ".discarded-abc" / "go" / "mod").mkdir(parents=True)
    remove_discarded(tmp_path)
    deadline = time.monotonic() + 30
    while any(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({"PLIMSOLL_HOME": "/data/p", "XDG_CACHE_HOME": "/cache"}, "/data/p", id="chosen"),
        pytest.param({"XDG_CACHE_HOME": "/cache"}, "/cache/plimsoll", id="the-users-cache"),
        pytest.param({}, str(Path.home() / ".cache" / "plimsoll"), id="neither"),
        pytest.param({"PLIMSOLL_HOME": "", "XDG_CACHE_HOME": ""}, str(Path.home() / ".cache" / "plimsoll"), id="empty"),
        pytest.param({"PLIMSOLL_HOME": "~/p"}, str(Path.home() / "p"), id="tilde"),
        pytest.param({"PLIMSOLL_HOME": "p"}, str(Path.cwd() / "p"), id="relative"),
    ],
)
def test_the_cache_folder_follows_the_environment(environment: dict[str, str], expected: str) -> None:
    assert str(plimsoll_home(environment)) == expected
