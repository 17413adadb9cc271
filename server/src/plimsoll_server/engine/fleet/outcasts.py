"""Sequences that took worker after worker with them, the last one alone: nobody else is given them for a while."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from hashlib import blake2b

from plimsoll_server.engine.fleet.restarts import WINDOW_SECONDS
from plimsoll_server.types import Tokens

_MOST = 256
"""That are remembered, by their digests."""


class Outcasts:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[bytes, float] = {}
        """Oldest first."""

    def add(self, tokens: Tokens) -> None:
        """For as long as ends of a worker are counted: asked again and again, it would use up all replacements."""
        self._until[_digest(tokens)] = self._clock() + WINDOW_SECONDS
        if len(self._until) > _MOST:
            del self._until[next(iter(self._until))]

    def __contains__(self, tokens: Tokens) -> bool:
        return bool(self._until) and self._until.get(_digest(tokens), 0.0) > self._clock()


def _digest(tokens: Tokens) -> bytes:
    return blake2b(array("q", tokens).tobytes(), digest_size=16).digest()
