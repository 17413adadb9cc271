"""One `up` or `down` of a name at a time; the next waits. What is locked leaves no file behind once it is gone."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from plimsoll_sandbox.errors import SandboxError

_DEADLINE_SECONDS = 300.0
_POLL_SECONDS = 0.1


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Hold the lock of a sandbox's folder, which need not exist. The kernel frees it when its holder dies."""
    path = folder.parent / f".{folder.name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _acquire(path)
    except OSError as error:
        raise SandboxError(f"the sandboxes' folder {path.parent} cannot be written: {error}") from error
    with lock:
        yield
        if not folder.exists():
            path.unlink(missing_ok=True)


def _acquire(path: Path) -> FileIO:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline:
        lock = path.open("ab", buffering=0)
        if _is_ours(lock, path):
            return lock
        lock.close()
        time.sleep(_POLL_SECONDS)
    raise SandboxError(
        f"another plimsoll-sandbox has held {path} for more than {_DEADLINE_SECONDS:.0f} s: end it first"
    )


def _is_ours(lock: FileIO, path: Path) -> bool:
    """Locked, and still the file of that name: its last holder may have removed it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(lock.fileno()).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False
