"""One at a time, across processes."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from plimsoll_server.train.errors import TrainingError

POLL_SECONDS = 0.2


@contextmanager
def exclusive(path: Path, *, deadline_seconds: float, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file at `path`. The kernel frees it when its holder dies. `on_wait` hears once that another has it.

    Raises TrainingError when the other has not let go by the deadline.
    """
    with path.open("a", encoding="utf-8") as file:
        if not _taken(file):
            on_wait()
            deadline = time.monotonic() + deadline_seconds
            while not _taken(file):
                if time.monotonic() > deadline:
                    raise TrainingError(
                        f"expected {path} to be free within {deadline_seconds:.0f} s, but another process still holds "
                        "it; end that process and start again"
                    )
                time.sleep(POLL_SECONDS)
        yield


def _taken(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
