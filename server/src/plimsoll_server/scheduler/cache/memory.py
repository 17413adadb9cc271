"""The answers of the last minutes, in as many bytes as they may take."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from plimsoll_server.scheduler.answers import Answer

_ENTRY_BYTES = 640
"""Of an answer without a number in it: its key, its place in the table, the objects around it."""
_NUMBER_BYTES = 32
_ENTITY_BYTES = 200


@dataclass(frozen=True, slots=True)
class _Entry:
    answer: Answer
    size: int
    until: float


class MemoryCache:
    """What was not asked for longest makes room."""

    def __init__(self, max_bytes: int, ttl_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._ttl = ttl_seconds
        self._clock = clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self.size = 0
        """Bytes."""

    def get(self, key: bytes) -> Answer | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._clock() >= entry.until:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.answer

    def put(self, key: bytes, answer: Answer) -> None:
        size = size_of(answer)
        if size > self._max_bytes:
            return
        self._drop(key)
        self._entries[key] = _Entry(answer, size, self._clock() + self._ttl)
        self.size += size
        while self.size > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry.size


def size_of(answer: Answer) -> int:
    """Bytes that remembering `answer` takes, rather more than less."""
    numbers = len(answer.scores) + len(answer.embedding)
    return _ENTRY_BYTES + _NUMBER_BYTES * numbers + _ENTITY_BYTES * len(answer.entities)
