"""How the documents of one request go on together: read first, admitted once, then a few sequences at a time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Hashable

from plimsoll_server.scheduler.lanes import Lane, Work
from plimsoll_server.types import Outcome, Tokens


class Passage:
    """The way of one request. Its documents take it side by side, each in a task of its own."""

    def __init__(self, at_once: int, until: float = math.inf) -> None:
        """`at_once`: sequences in the works. `until`: when the caller gives up, on the event loop's clock."""
        self.reading = asyncio.Lock()
        """Held by the document that is being tokenised: one request has one place in that queue."""
        self._at_once = at_once
        self._until = until
        self._unread: set[Hashable] = set()
        self._all_read = asyncio.Event()
        self._inside = 0
        self._left = asyncio.Event()
        self._admitted = False

    def expect(self, document: Hashable) -> None:
        self._unread.add(document)

    def has_read(self, document: Hashable) -> None:
        """It is read, or will never be."""
        self._unread.discard(document)
        if not self._unread:
            self._all_read.set()

    async def all_read(self) -> None:
        """Until every document is read: those that can run together shall come together."""
        await self._all_read.wait()

    async def enter(self, lane: Lane, tokens: Tokens) -> Work:
        """A place in `lane`. Only the first may find none (OverloadedError): a request that began is finished.

        No more than the lane grants one request are in the works at the same time.
        """
        while self._inside >= min(self._at_once, lane.for_one_request):
            self._left.clear()
            await self._left.wait()
        self._inside += 1
        try:
            work = await lane.follow(tokens, self._until) if self._admitted else lane.admit(tokens, self._until)
        except BaseException:
            self._leave()
            raise
        self._admitted = True
        work.outcome.add_done_callback(self._leave)
        return work

    def _leave(self, _: asyncio.Future[Outcome] | None = None) -> None:
        self._inside -= 1
        self._left.set()
