"""A folder of files that changes all at once: a reader sees the old ones or the new ones, never a mixture."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Content:
    """One file."""

    data: bytes
    mode: int


class PublishedFolder:
    """Files are links through `..data`, which is swapped to a folder with the new content, as the kubelet does it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._content: Mapping[str, Content] | None = None

    def publish(self, content: Mapping[str, Content]) -> None:
        """Make the folder hold exactly these files, by relative path. Nothing happens when it does already."""
        if content == self._content:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        current = self._folder / "..data"
        previous = current.resolve() if current.is_symlink() else None
        fresh = Path(tempfile.mkdtemp(prefix="..", dir=self._folder))
        fresh.chmod(0o755)
        for path, entry in content.items():
            _write(fresh / path, entry)
        link = self._folder / "..data_next"
        link.unlink(missing_ok=True)
        link.symlink_to(fresh.name)
        link.replace(current)
        self._link({Path(path).parts[0] for path in content})
        if previous is not None:
            shutil.rmtree(previous, ignore_errors=True)
        self._content = dict(content)

    def _link(self, names: set[str]) -> None:
        for name in names:
            link = self._folder / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        for entry in self._folder.iterdir():
            if not entry.name.startswith("..") and entry.name not in names:
                entry.unlink()


def _write(path: Path, content: Content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content.data)
    path.chmod(content.mode)
