"""Signs of life of the engine's thread: one before each layer of whatever runs."""

from __future__ import annotations

import time
from collections.abc import Callable


class Progress:
    """`still_seconds` may be read on any thread; the rest belongs to the engine's."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: float | None = None
        self._longest = 0.0

    def begins(self) -> None:
        self._last = self._clock()
        self._longest = 0.0

    def made(self) -> None:
        now = self._clock()
        if self._last is not None:
            self._longest = max(self._longest, now - self._last)
        self._last = now

    def told_by(self, border: Callable[[], None]) -> Callable[[], None]:
        """`border`, which is called between two layers. What it does there is of neither."""

        def told() -> None:
            self.made()
            border()
            self._last = self._clock()

        return told

    def ends(self) -> None:
        self._last = None

    def longest_step(self) -> float:
        """Seconds, the most between two signs since the work began."""
        self.made()
        return self._longest

    def still_seconds(self) -> float:
        """Since the last sign; 0 when idle."""
        last = self._last
        return 0.0 if last is None else self._clock() - last
