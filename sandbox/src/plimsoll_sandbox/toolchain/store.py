"""Finished builds, each in a folder of its own that appears by one rename: complete, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTIAL = ".partial-"


class Store:
    """The folder of finished builds. Only the holder of its lock adds or sweeps; anyone may read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str) -> Path | None:
        """The finished build of this name."""
        folder = self.folder / name
        return folder if folder.is_dir() else None

    @contextmanager
    def adding(self, name: str) -> Iterator[Path]:
        """A folder to build in, which becomes the finished one when the block ends well and is removed otherwise."""
        partial = self.folder / tempfile.mkdtemp(prefix=f"{PARTIAL}{name}-", dir=self.folder)
        try:
            yield partial
            partial.chmod(0o755)
            _write_through(partial)
            partial.rename(self.folder / name)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what killed builds have left. Nobody else is building: the caller holds the lock."""
        for partial in self.folder.glob(f"{PARTIAL}*"):
            shutil.rmtree(partial, ignore_errors=True)


def _write_through(folder: Path) -> None:
    """Bring the files to the disk before the rename does: after a power failure a present folder is a whole one."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
