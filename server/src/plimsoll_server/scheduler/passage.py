"""How the documents of one request go on together: read first, admitted once, then a few sequences at a time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from plimsoll_server.scheduler.documents import Document
from plimsoll_server.scheduler.lanes import Lane, Patience, Work
from plimsoll_server.scheduler.long_input import MAX_SEQUENCES
from plimsoll_server.types import Outcome, Tokens


class Passage:
    """The way of one request. Its documents take it side by side, each in a task of its own."""

    def __init__(self, at_once: int, until: float = math.inf) -> None:
        """`at_once`: sequences in the works. `until`: when the caller gives up, on the event loop's clock."""
        self.at_once = at_once
        self.until = until
        self.reading = False
        """One of its documents is being tokenised: one request has one place in that queue."""
        self.unread = 0
        self.sequences = 0
        """Of what is read so far."""
        self.inside = 0
        """Sequences that are in the works."""
        self.admitted = False
        self._changed = asyncio.Event()

    def ride(self) -> Ride:
        """Of one more document. All are taken before the first is read."""
        self.unread += 1
        return Ride(self)

    def changed(self) -> None:
        self._changed.set()

    async def change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


class Ride:
    """The way of one document, with the others of its request until another request waits for it too."""

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._patience = Patience(passage.until)
        self._unread = True
        self._apart = False

    def join(self, until: float) -> None:
        """Another request waits for it too, until then: the other documents of the first are no concern of that one."""
        self._patience.until = max(self._patience.until, until)
        self._apart = True
        self._passage.changed()

    async def read(self, read: Callable[[], Awaitable[Document]]) -> Document:
        """What `read` gives, once no other document of the request is being read."""
        await self._once(lambda: not self._passage.reading)
        takes_the_place = not self._passage.reading
        if takes_the_place:
            self._passage.reading = True
        try:
            return await read()
        finally:
            if takes_the_place:
                self._passage.reading = False
                self._passage.changed()

    def has_read(self, sequences: int = 0) -> None:
        """It is read and becomes so many sequences, or will never be."""
        if self._unread:
            self._unread = False
            self._passage.unread -= 1
            self._passage.sequences += sequences
            self._passage.changed()

    async def all_read(self) -> None:
        """Until every document is read, or too many: those that can run together shall come together."""
        await self._once(lambda: not self._passage.unread or self._passage.sequences > MAX_SEQUENCES)

    @property
    def too_many(self) -> bool:
        """Whether its request has more than MAX_SEQUENCES. Another one that waits for it too is not to pay for that."""
        return not self._apart and self._passage.sequences > MAX_SEQUENCES

    async def enter(self, lane: Lane, tokens: Tokens) -> Work:
        """A place in `lane`. Only the first may find none (OverloadedError): a request that began is finished.

        No more than the lane grants one request are in the works at the same time.
        """
        passage = self._passage
        await self._once(lambda: passage.inside < min(passage.at_once, lane.for_one_request))
        passage.inside += 1
        try:
            if passage.admitted:
                work = await lane.follow(tokens, self._patience)
            else:
                work = lane.admit(tokens, self._patience)
        except BaseException:
            self._leave()
            raise
        passage.admitted = True
        work.outcome.add_done_callback(self._leave)
        return work

    async def _once(self, may: Callable[[], bool]) -> None:
        while not (self._apart or may()):
            await self._passage.change()

    def _leave(self, _: asyncio.Future[Outcome] | None = None) -> None:
        self._passage.inside -= 1
        self._passage.changed()
