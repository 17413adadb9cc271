"""Is there room? Asked before a build starts, because a disk that fills up half-way costs minutes and says little."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from plimsoll_sandbox.toolchain.errors import ToolchainError

DISCARDED = ".discarded-"
WAY_OUT = "Free some space, or set PLIMSOLL_HOME to a folder on another disk."


def require_writable(folder: Path) -> None:
    """Create the folder and a file in it, or say why that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise full(folder, "a first file") from error
        raise ToolchainError(
            f"The cache folder {folder} cannot be written: {error.strerror}. "
            "Make it writable, or set PLIMSOLL_HOME to a folder that is."
        ) from error


def require_room(folder: Path, needed_mib: int, purpose: str) -> None:
    """Raise unless the disk of `folder` has that much left."""
    free_mib = shutil.disk_usage(folder).free >> 20
    if free_mib < needed_mib:
        raise ToolchainError(
            f"The disk of {folder} has {free_mib / 1024:.1f} GiB free, and {purpose} needs "
            f"{needed_mib / 1024:.1f} GiB. {WAY_OUT}"
        )


def full(folder: Path, purpose: str) -> ToolchainError:
    """The error for a disk that turned out full while `purpose` was being written."""
    return ToolchainError(f"The disk of {folder} is full: there is no room for {purpose}. {WAY_OUT}")


def used_mib(folder: Path) -> int:
    """What the files of a folder take; a folder that is not there takes nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - a hundred thousand Paths are slow
    return total >> 20


def discard(folder: Path) -> None:
    """Have a folder gone at once; its two hundred thousand files are removed while their owner goes on."""
    if folder.exists():
        folder.rename(Path(tempfile.mkdtemp(prefix=DISCARDED, dir=folder.parent)) / folder.name)
    remove_discarded(folder.parent)


def remove_discarded(parent: Path) -> None:
    """Remove what was discarded here, also by a removal that was itself cut short."""
    for doomed in parent.glob(f"{DISCARDED}*"):
        in_background = 'nice -n 19 rm -rf -- "$1" </dev/null >/dev/null 2>&1 &'
        subprocess.run(["/bin/sh", "-c", in_background, "sh", doomed], timeout=10, check=False)  # noqa: S603
