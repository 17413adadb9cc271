"""What is going to take memory of this process, said before it is taken: texts that are tokenised, large answers that
are made, which are counted as those, and packs that run.

What is free at a moment does not tell: a pack that has just begun has not taken yet what it will, and neither has a
text. The tokenizers library ends the process when it gets no memory, so nobody may take what a text was promised.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from plimsoll_server.engine.process_memory import FEW_WORDS
from plimsoll_server.scheduler.errors import OverloadedError

_ROOM_SECONDS = 2.0
"""A running pack takes much memory, but mostly not for long."""
_LOOK_SECONDS = 0.05
"""Others take and give back memory too, and tell nobody."""
_KEPT_FOR_TEXTS = 32 << 20
"""Bytes that no pack is thought to take, however long it is: else no text would be read for as long as it runs. Texts
of 57 kB take them."""
_RETRY_AFTER = 5


class MemoryClaims:
    """Texts come on any thread, packs on the event loop. All sizes in bytes."""

    def __init__(self, left: Callable[[], int | None], *, with_packs: bool = False) -> None:
        """`left`: that the process may still take, None where nothing limits it. `with_packs`: they run in it too."""
        self._left = left
        self._with_packs = with_packs
        self._changed = threading.Condition()
        self._whole = 0
        """What would be left if nothing of all that is claimed had been taken yet, as far as is known: see _look."""
        self._texts = self._packs = self._awaited = 0
        self._running = 0
        """Packs, of whatever size."""
        self._tell: Callable[[], object] = _tell_nobody
        self._starved_since: float | None = None

    def starved_seconds(self) -> float:
        """For how long there has been no memory for a few words while nothing ran and nothing was read, as far as was
        asked: others have taken it, and nobody gives it back. 0 when all is well."""
        with self._changed:
            left = self._look()
            starved = left is not None and left < FEW_WORDS and not self._texts and not self._running
            if not starved:
                self._starved_since = None
                return 0.0
            now = time.monotonic()
            self._starved_since = self._starved_since or now
            return now - self._starved_since

    @property
    def limited(self) -> bool:
        return self._left() is not None

    def plenty(self, size: int) -> bool:
        """Whether so little is there for a moment, without a claim."""
        left = self._left()
        return left is None or size <= left

    @contextmanager
    def held(self, size: int, what: str) -> Iterator[None]:
        """Waits until `size` bytes are there for what is done within, on a thread that may wait, and for two seconds at
        most. Raises OverloadedError: there is too little memory to do `what`."""
        if not self._take(size):
            raise _too_little(what)
        try:
            yield
        finally:
            self.give_back(size)

    async def take(self, size: int, what: str) -> None:
        """As `held`, on the event loop, until they are given back."""
        until = time.monotonic() + _ROOM_SECONDS
        while not self._take(size, patience=0):
            if time.monotonic() > until:
                raise _too_little(what)
            await asyncio.sleep(_LOOK_SECONDS)

    def give_back(self, size: int) -> None:
        with self._changed:
            self._texts -= size
            self._changed.notify_all()
            if self._awaited:
                self._tell()

    def for_a_pack(self) -> float:
        """What one that begins now may take at most, for the sake of texts."""
        with self._changed:
            if not self._with_packs or not self._texts or (left := self._look()) is None:
                return math.inf
            return max(0, self._free(left))

    def keep_for_packs(self, size: int) -> None:
        """All together, since one waits for texts to be read: those that come leave them so much. 0: none waits."""
        if size != self._awaited:
            with self._changed:
                self._awaited = size
                self._changed.notify_all()

    def pack_begins(self, size: int) -> int:
        """What is claimed for it, to be given back when it ends."""
        if not self._with_packs:
            return 0
        with self._changed:
            self._look()
            for_packs = self._whole - min(_KEPT_FOR_TEXTS, self._whole // 2)
            claimed = max(0, min(size, for_packs - self._packs))
            self._packs += claimed
            self._running += 1
        return claimed

    def pack_ends(self, claimed: int) -> None:
        if not self._with_packs:
            return
        with self._changed:
            self._packs -= claimed
            self._running -= 1
            self._changed.notify_all()

    def tell_packs(self, tell: Callable[[], object] | None) -> None:
        """Whom to call, on any thread, when a pack waits and a text is read; None: nobody any more."""
        with self._changed:
            self._tell = tell or _tell_nobody

    def _take(self, size: int, patience: float | None = None) -> bool:
        until = time.monotonic() + (_ROOM_SECONDS if patience is None else patience)
        with self._changed:
            while not self._fits(size):
                if (left := until - time.monotonic()) <= 0:
                    return False
                self._changed.wait(min(left, _LOOK_SECONDS))
            self._texts += size
        return True

    def _fits(self, size: int) -> bool:
        left = self._look()
        return left is None or size + max(0, self._awaited - self._packs) <= self._free(left)

    def _free(self, left: int) -> int:
        """Of what is left now, what nobody was promised. Texts are thought to have taken nothing of theirs yet, since
        nobody tells how much, and they hardly take a third of it; packs, which soon have it all, what is missing."""
        return min(left, self._whole - self._packs) - self._texts

    def _look(self) -> int | None:
        """What is left now; None where nothing limits it. What is missing beyond all claims others have taken."""
        left = self._left()
        if left is not None:
            self._whole = min(max(left, self._whole), left + self._texts + self._packs)
        return left


def _too_little(what: str) -> OverloadedError:
    return OverloadedError(f"what runs leaves too little memory to {what}; try again", retry_after=_RETRY_AFTER)


def _tell_nobody() -> None:
    pass
