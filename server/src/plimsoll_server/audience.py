"""Who waits for a batch: what whoever runs it has to know of them, and may tell them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from plimsoll_server.types import Outcome

Tell = Callable[[int, Outcome], None]
"""What became of the sequence at that place of the batch, before all of it is done."""


class Audience:
    """`gone` may be read on any thread; the rest belongs to the one that hands the batch out."""

    def __init__(self, seconds: float = math.inf, tell: Tell | None = None) -> None:
        """`seconds`: after which the first of them gives up."""
        self.until = time.monotonic() + seconds
        self.gone = False
        """Nobody wants the batch any more: to finish it is no use."""
        self.tell = tell or _tell_nobody
        self._watchers: list[Callable[[], None]] = []

    def leave(self) -> None:
        self.gone = True
        for on_leaving in self._watchers:
            on_leaving()

    @property
    def watched(self) -> bool:
        """Whether anybody will be told when it leaves."""
        return bool(self._watchers)

    @contextmanager
    def watched_by(self, on_leaving: Callable[[], None]) -> Iterator[None]:
        """Within, whoever runs the batch or a part of it is told when it leaves."""
        self._watchers.append(on_leaving)
        try:
            yield
        finally:
            self._watchers.remove(on_leaving)


def _tell_nobody(place: int, outcome: Outcome) -> None:
    pass
