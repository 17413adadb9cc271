"""How the documents of one request go on together: read first, admitted once, then a few sequences at a time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

from plimsoll_server.scheduler.documents import Document
from plimsoll_server.scheduler.lanes import Lane, Patience, Work
from plimsoll_server.scheduler.long_input import MAX_SEQUENCES
from plimsoll_server.scheduler.turns import Turn, Turns
from plimsoll_server.types import Outcome, Tokens

Place = TypeVar("Place")


class Passage:
    """The way of one request. Its documents take it side by side, each in a task of its own."""

    def __init__(self, at_once: int, until: float = math.inf) -> None:
        """`at_once`: sequences in the works. `until`: when the caller gives up, on the event loop's clock."""
        self.until = until
        self.unread = 0
        self.sequences = 0
        """Of what is read so far."""
        self.entities = 0
        """Of what is answered so far."""
        self.admitted = False
        self.reading = Turns[None](lambda _: 1)
        """One of its documents is being tokenised: one request has one place in that queue."""
        self.all_read = Turns[None](lambda _: 0 if self.unread and not self.too_many else math.inf)
        self.works = Turns[Lane](lambda lane: min(at_once, lane.for_one_request))
        """No more than the lane grants one request."""

    @property
    def too_many(self) -> bool:
        return self.sequences > MAX_SEQUENCES

    def ride(self) -> Ride:
        """Of one more document. All are taken before the first is read."""
        self.unread += 1
        return Ride(self)


class Ride:
    """The way of one document, with the others of its request until another request waits for it too."""

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._patience = Patience(passage.until)
        self._unread = True
        self._apart = False
        self._let_go_on: Callable[[], None] | None = None

    def join(self, until: float) -> None:
        """Another request waits for it too, until then: the other documents of the first are no concern of that one."""
        self._patience.until = max(self._patience.until, until)
        self._apart = True
        if self._let_go_on is not None:
            self._let_go_on()

    async def read(self, read: Callable[[], Awaitable[Document]]) -> Document:
        """What `read` gives, once no other document of the request is being read."""
        turn = await self._turn(self._passage.reading, None)
        try:
            return await read()
        finally:
            turn.end()

    def has_read(self, sequences: int = 0) -> None:
        """It is read and becomes so many sequences, or will never be."""
        if self._unread:
            self._unread = False
            self._passage.unread -= 1
            self._passage.sequences += sequences
            self._passage.all_read.look()

    async def all_read(self) -> None:
        """Until every document is read, or too many: those that can run together shall come together."""
        await self._turn(self._passage.all_read, None)

    @property
    def too_many(self) -> bool:
        """Whether its request has more than MAX_SEQUENCES. Another one that waits for it too is not to pay for that."""
        return not self._apart and self._passage.too_many

    def has_found(self, entities: int) -> None:
        """So many are in its answer."""
        self._passage.entities += entities

    @property
    def entities(self) -> int:
        """Of its request so far. Another one that waits for it too is not to pay for that."""
        return 0 if self._apart else self._passage.entities

    async def enter(self, lane: Lane, tokens: Tokens) -> Work:
        """A place in `lane`. Only the first may find none (OverloadedError): a request that began is finished."""
        turn = await self._turn(self._passage.works, lane)
        try:
            if self._passage.admitted:
                work = await lane.follow(tokens, self._patience)
            else:
                work = lane.admit(tokens, self._patience)
        except BaseException:
            turn.end()
            raise
        self._passage.admitted = True

        def left(_: asyncio.Future[Outcome]) -> None:
            turn.end()

        work.outcome.add_done_callback(left)
        return work

    async def _turn(self, turns: Turns[Place], place: Place) -> Turn[Place]:
        """Of this document, at once where another request waits for it too."""
        turn = turns.ask(place)
        if self._apart:
            turn.come()
        self._let_go_on = turn.come
        await turn.comes()
        return turn
