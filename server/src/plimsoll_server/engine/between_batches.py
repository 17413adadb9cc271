"""What the process has grown by since its start, looked at between batches: the next ones get that much less.

In the first hundred batches that came to 40 to 90 MiB, little of it free within the allocator, and a library that leaks
takes its part too. Nothing at the start can see it, and once it has taken all that is between the plan and the ceiling,
an allocation fails wherever the next one is, also where nobody can answer for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from plimsoll_server.engine.line import Line
from plimsoll_server.engine.memory import Budget

log = logging.getLogger(__name__)

_PERIOD_SECONDS = 1.0


class BetweenBatches:
    """On the engine's thread, while no batch runs. `free` gives back what is not in use."""

    def __init__(
        self, budget: Budget, line: Line, free: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._budget, self._line, self._free, self._clock = budget, line, free, clock
        self._next = clock()
        self._told = False

    def look(self) -> None:
        """At what is left, but not more often than every second."""
        room = self._line.now().room
        if room is None or self._clock() < self._next:
            return
        # What is mapped and untouched changes with threads and heaps. Counted before anything is given back: of a heap
        # it stays mapped, and the next batch touches it again.
        self._budget.hold()
        if self._budget.left() < room:
            self._free()
        left = self._budget.left()
        self._line.left(left)
        if left < room and not self._told:
            log.warning("the process has grown: batches have %d MiB left, %d MiB before", left >> 20, room >> 20)
            self._told = True
        self._next = self._clock() + _PERIOD_SECONDS
