"""A moment for those who were just answered to ask again.

Callers who send one text after the other come back together. Were the first of them given a pack of its own, the
others would wait for that and share the next one without it, and so on for ever: twice as many packs, half of one text.
"""

from __future__ import annotations

from plimsoll_server.scheduler.lanes import MAX_BATCH

_SHARE = 0.01
"""Of the time that the pack took: what it costs at most."""
_MOST_SECONDS = 0.01


class Gathering:
    def __init__(self) -> None:
        self.until = 0.0
        self._expected = 0

    def pack_ended(self, now: float, seconds: float, *, answered: int, waiting: int) -> None:
        """`waiting`: that were there already. One that was answered alone is not waited for: nobody would share with
        it."""
        self.until = now + min(_SHARE * seconds, _MOST_SECONDS) if answered > 1 else 0.0
        self._expected = answered + waiting

    def holds(self, now: float, waiting: int) -> bool:
        """Whether it is worth waiting until `until`: not where as many wait as share a pack."""
        return now < self.until and waiting < min(self._expected, MAX_BATCH)
