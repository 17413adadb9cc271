"""The load line as it stands: what was measured at the start, less what was taken and what shortages have taught
since."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from plimsoll_server.types import Calibration, LoadLine

log = logging.getLogger(__name__)

_RECOVERY_SECONDS = 1200.0
"""What a shortage took from the line comes back so slowly that from none to all takes this long."""
_STEP = 0.8
_LARGEST_STEP = 0.5
_LOWEST = 1 / 64
"""Whether a device is broken is for the engine's self-check to find out."""


class Line:
    """Lowered on the engine's thread, read by any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._measured = LoadLine()
        self._lowered = (1.0, clock())
        """To which factor, and when."""
        self._left: int | None = None

    def calibrated(self, calibration: Calibration) -> None:
        self._measured = calibration.line

    def now(self) -> LoadLine:
        return replace(self._measured, room=self._room(), factor=self._factor())

    def left(self, room: int) -> None:
        """So many bytes are left for batches now. The line is never above what was measured at the start."""
        self._left = room

    def shortage(self, tokens: int, sequences: int) -> None:
        """Memory ran out while so much ran together: less may do so from now on.

        A batch that is above the line anyway says nothing of it, and neither does one sequence where no tokens were
        measured: to run fewer at once would not have helped.
        """
        line = self.now()
        above = sequences <= 1 if line.tokens is None else tokens > line.tokens
        if above:
            return
        lowered = max(_LOWEST, self._below(line, tokens))
        self._lowered = (lowered, self._clock())
        log.warning("the load line is lowered to %.0f %% of what was measured", 100 * lowered)

    def _below(self, line: LoadLine, tokens: int) -> float:
        """A step down, and below what has just failed where that is lower, though never by more than half at once: what
        took the memory may have been something else."""
        step = line.factor * _STEP
        if line.tokens is None:
            return step
        failed = line.factor * tokens / max(1, line.tokens)
        return max(line.factor * _LARGEST_STEP, min(step, failed * _STEP))

    def _room(self) -> int | None:
        measured = self._measured.room
        return measured if measured is None or self._left is None else min(measured, self._left)

    def _factor(self) -> float:
        factor, since = self._lowered
        return min(1.0, factor + (self._clock() - since) / _RECOVERY_SECONDS)
