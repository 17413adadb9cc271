"""How often a worker is replaced, and after which pause: at once the first time, then more and more slowly."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each replacement. Whoever needs more of them within the window will not be helped by another."""
WINDOW_SECONDS = 600.0


class Restarts:
    """The clock is handed in: `now` in seconds of any clock that never goes back."""

    def __init__(self, pauses: Sequence[float] = PAUSES) -> None:
        self._pauses = pauses
        self._ends: deque[float] = deque()

    def pause(self, now: float) -> float | None:
        """Seconds to wait after an end at `now`; None when it was one too many."""
        self._ends.append(now)
        while now - self._ends[0] > WINDOW_SECONDS:
            self._ends.popleft()
        return self._pauses[len(self._ends) - 1] if len(self._ends) <= len(self._pauses) else None
