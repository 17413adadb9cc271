"""Who waits for a batch: what whoever runs it has to know of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Audience:
    """`gone` may be read on any thread; the rest belongs to the one that hands the batch out."""

    def __init__(self, seconds: float = math.inf) -> None:
        """`seconds`: after which the first of them gives up."""
        self.until = time.monotonic() + seconds
        self.gone = False
        """Nobody wants the batch any more: to finish it is no use."""
        self.on_leaving: Callable[[], None] = _tell_nobody

    def leave(self) -> None:
        self.gone = True
        self.on_leaving()

    def forget(self) -> None:
        """Whoever ran the batch need not be told any more."""
        self.on_leaving = _tell_nobody


def _tell_nobody() -> None:
    pass
