"""Which of the texts that wait to be tokenised is read next, and by which thread."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from plimsoll_server.scheduler.documents import Document

LONG_BYTES = 64 << 10
"""Of longer texts one is read at a time, so that there is a thread for the others: a megabyte takes a second."""
_BYTES_PER_SECOND = 100_000
"""A text stands in the queue as if it had come a second later for each so many of its bytes. So a short one passes the
long ones that are before it, and no long one waits without an end."""


@dataclass(order=True, slots=True)
class _Waiting:
    turn: float
    number: int
    long: bool = field(compare=False)
    read: Callable[[], Document] = field(compare=False)
    document: Future[Document] = field(compare=False, default_factory=Future)


class Readers:
    """Texts come from the event loop; `pool` has two threads at least."""

    def __init__(self, pool: ThreadPoolExecutor, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._short: list[_Waiting] = []
        self._long: list[_Waiting] = []
        self._reading_long = False

    def submit(self, size: int, read: Callable[[], Document]) -> Future[Document]:
        """What `read` gives, on a thread, for a text of `size` bytes. Until its turn it can be cancelled."""
        turn = self._clock() + size / _BYTES_PER_SECOND
        waiting = _Waiting(turn, next(self._numbers), size > LONG_BYTES, read)
        with self._lock:
            heapq.heappush(self._long if waiting.long else self._short, waiting)
        self._pool.submit(self._serve)
        return waiting.document

    def _serve(self) -> None:
        """One text; and after a long one another, for whoever came for that found it barred."""
        while (waiting := self._next()) is not None:
            try:
                waiting.document.set_result(waiting.read())
            except Exception as error:  # noqa: BLE001  handed on whole, as a thread pool does
                waiting.document.set_exception(error)
            if not waiting.long:
                return
            with self._lock:
                self._reading_long = False

    def _next(self) -> _Waiting | None:
        with self._lock:
            while (queue := self._foremost()) is not None:
                waiting = heapq.heappop(queue)
                if waiting.document.set_running_or_notify_cancel():
                    self._reading_long = self._reading_long or waiting.long
                    return waiting
        return None

    def _foremost(self) -> list[_Waiting] | None:
        open_to_all = [queue for queue in (self._short, [] if self._reading_long else self._long) if queue]
        return min(open_to_all, key=lambda queue: queue[0], default=None)
