"""Where the documents of one request wait for each other, in the order in which they came.

Only those who may go on are told: were all of them woken to look for themselves whenever one went on, a request of a
thousand would be woken a million times.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Place = TypeVar("Place")


class Turns(Generic[Place]):
    """Turns for places of several kinds. Of those that may have theirs it is for who came first."""

    def __init__(self, most: Callable[[Place], float]) -> None:
        """`most`: one at a place may have its turn while fewer than that have theirs, wherever. It may change."""
        self._most = most
        self._taken = 0
        self._numbers = itertools.count()
        self._waiting: dict[Place, deque[Turn[Place]]] = {}

    def ask(self, place: Place) -> Turn[Place]:
        """To be waited for, and ended."""
        turn = Turn(self, next(self._numbers))
        self._waiting.setdefault(place, deque()).append(turn)
        self.look()
        return turn

    def look(self) -> None:
        """Who may go on does: to be called when `most` has risen, if nobody is to end a turn or ask for one."""
        while (turn := self._next()) is not None:
            turn.come()

    def took(self) -> None:
        self._taken += 1

    def gave_back(self) -> None:
        self._taken -= 1
        self.look()

    def _next(self) -> Turn[Place] | None:
        first: Turn[Place] | None = None
        for place, turns in self._waiting.items():
            while turns and turns[0].over:
                turns.popleft()
            if turns and (first is None or turns[0].number < first.number) and self._taken < self._most(place):
                first = turns[0]
        return first


class Turn(Generic[Place]):
    """Of one document. It is counted from when it comes to when it is ended."""

    def __init__(self, turns: Turns[Place], number: int) -> None:
        self.number = number
        self._turns = turns
        self._here: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def over(self) -> bool:
        """Whether it does not wait any more: it has come, or nobody waits for it."""
        return self._here.done()

    def come(self) -> None:
        """Now, whoever else waits."""
        if not self.over:
            self._turns.took()
            self._here.set_result(None)

    async def comes(self) -> None:
        try:
            await self._here
        except asyncio.CancelledError:
            if not self._here.cancelled():
                self.end()
            raise

    def end(self) -> None:
        self._turns.gave_back()
