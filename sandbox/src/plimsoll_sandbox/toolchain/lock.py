"""One builder at a time: two invocations wait for each other instead of building everything twice."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plimsoll_sandbox.toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TextIO

POLL_SECONDS = 0.2


@contextmanager
def exclusive(path: Path, deadline_seconds: float, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock at `path`; `waiting` hears once who holds it. The kernel frees it when its holder dies."""
    with path.open("a+", encoding="utf-8") as file:
        _acquire(file, path, deadline_seconds, waiting)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _acquire(file: TextIO, path: Path, deadline_seconds: float, waiting: Callable[[str], None]) -> None:
    if _try(file):
        return
    waiting(f"Process {_holder(file)} is building the same tools: waiting for it")
    deadline = time.monotonic() + deadline_seconds
    while time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        if _try(file):
            return
    raise ToolchainError(
        f"Process {_holder(file)} has held {path} for more than {deadline_seconds:.0f} s. "
        "If it does nothing any more, end it and start again; what it has finished is kept."
    )


def _try(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: TextIO) -> str:
    file.seek(0)
    return file.read().strip() or "?"
