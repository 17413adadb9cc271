"""What the supervisor does besides: bury adopted processes, and keep the components' logs from growing for ever."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from pathlib import Path

from plimsoll_sandbox.layout import Layout

_INTERVAL_SECONDS = 2.0
_LONGEST_LOG_BYTES = 64 * 1024 * 1024
_MOST_BURIALS = 1000


async def keep_house(layout: Layout, started: Callable[[], Collection[int]]) -> None:
    """Never returns. `started` tells the processes that somebody else waits for."""
    while True:
        await asyncio.sleep(_INTERVAL_SECONDS)
        bury_adopted(started())
        for log in layout.logs.glob("*.log"):
            if log != layout.audit_log:  # The apiserver bounds that one itself.
                _shorten(log)


def bury_adopted(started: Collection[int]) -> None:
    """Reap orphans that became our children and ended; what is in the way for now is looked at in the next round."""
    for _ in range(_MOST_BURIALS):
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in started:
            return
        os.waitpid(ended.si_pid, os.WNOHANG)


def _shorten(log: Path) -> None:
    """Programs append, so an emptied log goes on from its start."""
    if log.stat().st_size > _LONGEST_LOG_BYTES:
        os.truncate(log, 0)
