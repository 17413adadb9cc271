"""How loaded the server is, as a mean over time: the signal that scales it."""

from __future__ import annotations

import math
from collections import deque

WINDOW_SECONDS = 30.0
_SLICE_SECONDS = 0.5


class SaturationMeter:
    """The mean of a ratio over the last 30 seconds, each value weighted by how long it held.

    Before its life a server carried nothing. A mean over its life alone would count the load that it takes over from
    another twice, since the other's mean falls slowly, and one pod too many would follow.

    The clock is handed in: `now` in seconds of any clock that never goes back.
    """

    def __init__(self, now: float) -> None:
        self._ratio = 0.0
        self._since = now
        self._slices: deque[list[float]] = deque()
        """[number of the slice, area under the ratio within it]"""

    def record(self, ratio: float, now: float) -> None:
        """From `now` on the ratio is `ratio`."""
        self._accumulate(now)
        self._ratio = ratio

    def mean(self, now: float) -> float:
        self._accumulate(now)
        return math.fsum(area for _, area in self._slices) / WINDOW_SECONDS

    def _accumulate(self, now: float) -> None:
        oldest = now - WINDOW_SECONDS
        self._since = max(self._since, oldest)
        while self._since < now:
            number = math.floor(self._since / _SLICE_SECONDS)
            until = min(now, (number + 1) * _SLICE_SECONDS)
            if not self._slices or self._slices[-1][0] != number:
                self._slices.append([number, 0.0])
            self._slices[-1][1] += self._ratio * (until - self._since)
            self._since = until
        while self._slices and (self._slices[0][0] + 1) * _SLICE_SECONDS <= oldest:
            self._slices.popleft()
