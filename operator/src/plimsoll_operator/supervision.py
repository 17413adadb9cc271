"""Runs the parts of a process that must all live: it ends in order when asked to, and loudly when one of them dies."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

logger = logging.getLogger(__name__)

GRACE_SECONDS = 7.0
"""For the parts to finish what they hold; with what follows below the 10 s that the process promises to take."""

CANCEL_SECONDS = 1.0
"""For what was cancelled to clean up."""


class Shutdown:
    """The wish to end, made by a signal or by the death of a part. `stop` is set then, and `drains` are called."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self._drains: list[Callable[[], None]] = []

    def drain(self, begin: Callable[[], None]) -> None:
        """Have `begin` called when the end is wished for."""
        self._drains.append(begin)

    def begin(self) -> None:
        if self.stop.is_set():
            return
        self.stop.set()
        for begin in self._drains:
            begin()

    def heed_signals(self) -> None:
        """End on SIGTERM and SIGINT. To be called again by whoever ran code that installs handlers of its own."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._heed, number)

    def _heed(self, number: signal.Signals) -> None:
        logger.info("%s received: ending", number.name)
        self.begin()


async def either(*events: asyncio.Event) -> None:
    """Return when one of the events is set."""
    waits = {asyncio.create_task(event.wait()) for event in events}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def supervise(parts: Mapping[str, Coroutine[Any, Any, None]], shutdown: Shutdown) -> bool:
    """Run all parts until shutdown. Returns whether every one of them lived until then and ended well."""
    tasks = {asyncio.create_task(part, name=name) for name, part in parts.items()}
    stopping = asyncio.create_task(shutdown.stop.wait(), name="stop")
    ended, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
    died = [] if stopping in ended else [task.get_name() for task in ended]
    for name in died:
        logger.error("part %s ended although nobody asked it to: ending the process", name)
    shutdown.begin()
    _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
    for task in late:
        logger.warning("part %s did not end within %g s: cancelled", task.get_name(), GRACE_SECONDS)
        task.cancel()
    over, _ = await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
    failures = [error for task in over if not task.cancelled() and (error := task.exception()) is not None]
    for failure in failures:
        logger.error("a part failed: %s", failure, exc_info=failure)
    return not died and not failures
