"""How often each caller came of late, counted in this process."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

MAX_CALLERS = 65_536
"""Beyond it those who have not come for longest are forgotten."""


@dataclass(slots=True)
class _Counts:
    window: int
    before: int = 0
    now: int = 0


class SlidingWindow:
    """At most `amount` requests of a caller in `seconds`, by two counters for each of them.

    What came in the window before counts by the share of it that lies within the last `seconds`: the approximation
    that `limits` makes in a Redis too, so that both admit the same. Its own memory has a task for every request walk
    through all callers. Whoever spends a window's amount at its end and goes on at the rate gets up to twice the
    amount within `seconds`, and never more: the approximation takes the burst as spread over its window.
    """

    def __init__(self, amount: int, seconds: float) -> None:
        self._amount = amount
        self._seconds = seconds
        self._callers: OrderedDict[str, _Counts] = OrderedDict()

    def wait_for(self, caller: str, now: float) -> float | None:
        """None when a request of `caller` is admitted at `now`, which counts it; else the seconds until one would be:
        0 where that is the next instant, as at the border of two windows."""
        counts = self._counts_of(caller, int(now // self._seconds))
        left = 1 - now / self._seconds % 1
        if counts.now + math.floor(counts.before * left) < self._amount:
            counts.now += 1
            return None
        return self._seconds * max(0.0, self._share_to_wait(counts, left))

    def _share_to_wait(self, counts: _Counts, left: float) -> float:
        """Of a window, until one more fits."""
        if counts.now < self._amount:
            return left - (self._amount - counts.now) / counts.before
        return left + 1 - self._amount / counts.now

    def _counts_of(self, caller: str, window: int) -> _Counts:
        counts = self._callers.pop(caller, None) or _Counts(window)
        if counts.window != window:
            counts = _Counts(window, before=counts.now if counts.window == window - 1 else 0)
        self._callers[caller] = counts
        while len(self._callers) > MAX_CALLERS:
            self._callers.popitem(last=False)
        return counts
