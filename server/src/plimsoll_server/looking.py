"""A look at a mounted file now and then, which may hang as its volume may: nobody waits for it but the next look."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

log = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0
_PATIENCE_SECONDS = 10.0
"""For one look; a healthy volume takes milliseconds."""


async def keep_looking(
    look: Callable[[], None], what: Path, pause: float = _LOOK_SECONDS, patience: float = _PATIENCE_SECONDS
) -> None:
    """Calls `look`, in a thread, each `pause` seconds until cancelled. One that hangs is told of after `patience`
    seconds; neither the end of this nor of the process waits for it."""
    # Of its own: the loop's threads are waited for when the loop ends.
    thread = ThreadPoolExecutor(1, "looking")
    try:
        while True:
            await asyncio.sleep(pause)
            await _look(thread, look, what, patience)
    finally:
        thread.shutdown(wait=False, cancel_futures=True)


async def _look(thread: ThreadPoolExecutor, look: Callable[[], None], what: Path, patience: float) -> None:
    looking = asyncio.get_running_loop().run_in_executor(thread, look)
    _, late = await asyncio.wait({looking}, timeout=patience)
    if late:
        log.error("%s has not been read in %g s, and what it held before is kept: check its volume", what, patience)
        # A second look would hang beside the first.
        await asyncio.wait({looking})
        log.info("%s can be read again", what)
    looking.result()


def read_regular(file: Path, most: int = -1) -> bytes:
    """What `file` holds, of more than `most` bytes the beginning. Raises OSError, for what is no regular file too: to
    open a pipe would be to wait for who writes to it."""
    with open(file, "rb", opener=_without_waiting) as content:
        if not stat.S_ISREG(os.fstat(content.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(file))
        return content.read(most)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
