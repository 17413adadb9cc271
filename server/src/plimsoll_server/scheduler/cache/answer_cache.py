"""Where an answer is looked for before it is made: in memory, then in what pods share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.cache.memory import MemoryCache
from plimsoll_server.scheduler.cache.shared import SharedCache


class AnswerCache:
    """With neither part it remembers nothing."""

    def __init__(self, memory: MemoryCache | None = None, shared: SharedCache | None = None) -> None:
        self._memory = memory
        self._shared = shared

    @property
    def size(self) -> int:
        """Bytes."""
        return self._memory.size if self._memory else 0

    def at_hand(self, keys: Iterable[bytes]) -> dict[bytes, Answer]:
        """Those of `keys` that are in memory."""
        if self._memory is None:
            return {}
        found = ((key, self._memory.get(key)) for key in keys)
        return {key: answer for key, answer in found if answer is not None}

    async def elsewhere(self, keys: Sequence[bytes], *, raw: bool) -> dict[bytes, Answer]:
        """Those of `keys` that another pod has made. `raw`: they are of logits in the place of scores."""
        if self._shared is None:
            return {}
        found = await self._shared.find(keys, raw=raw)
        for key, answer in found.items():
            self._remember(key, answer)
        return found

    def keep(self, key: bytes, answer: Answer) -> None:
        self._remember(key, replace(answer, remembered=True))
        if self._shared is not None:
            self._shared.put(key, answer)

    async def close(self) -> None:
        if self._shared is not None:
            await self._shared.close()

    def _remember(self, key: bytes, answer: Answer) -> None:
        if self._memory is not None:
            self._memory.put(key, answer)
