"""Admission: one lane per tier, with a bounded queue from which the packs are taken at the last moment."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from plimsoll_server.scheduler.errors import OverloadedError
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.tracing import RequestTrace, current_trace
from plimsoll_server.types import LoadLine, Outcome, Tokens

MAX_BATCH = 32
"""Sequences per batch."""
_QUEUE_BATCHES = 4
"""Full batches' worth of tokens that may wait in a lane, for each device."""
_QUEUE_ITEMS = 64
_LONGEST_RETRY_AFTER = 60


class Devices(Protocol):
    """What a lane has to know of the engine. Both change while it runs."""

    @property
    def devices(self) -> int: ...
    def line(self) -> LoadLine: ...


@dataclass(eq=False, slots=True)
class Patience:
    until: float = math.inf
    """When the last of those who wait gives up, on the event loop's clock. Others may join them."""


@dataclass(eq=False, slots=True)
class Work:
    """One sequence on its way."""

    tokens: Tokens
    outcome: asyncio.Future[Outcome]
    patience: Patience = field(default_factory=Patience)
    trace: RequestTrace | None = field(default_factory=current_trace)
    since: float = field(default_factory=time.monotonic)
    """When it was admitted."""

    def hear(self, outcome: Outcome) -> None:
        """What has become of it, if somebody still waits for that and does not know."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class Lane:
    """The sequences of one tier. `changed` is called whenever the number waiting or running has changed."""

    def __init__(self, tier: Tier, engine: Devices, changed: Callable[[], None]) -> None:
        self.tier = tier
        self.running = 0
        self.queued_tokens = 0
        self._engine = engine
        self._queue: deque[Work] = deque()
        self._waiters: deque[asyncio.Event] = deque()
        self._changed = changed
        self._batch_seconds = 0.0

    @property
    def queued(self) -> int:
        return len(self._queue)

    @property
    def limit(self) -> int:
        """Sequences of this tier that may run at once on one device, as planned and as its memory allows now."""
        return self._engine.line().sequences(self.tier.running_limit, self.tier.max_tokens)

    @property
    def batch_limit(self) -> int:
        """Sequences per batch. Each is within the tier, so a batch is within the limit times max tokens."""
        return min(MAX_BATCH, self.limit)

    @property
    def at_once(self) -> int:
        """Sequences that may run at once on all devices."""
        return self.limit * self._engine.devices

    @property
    def capacity(self) -> int:
        """Sequences that may run or wait: fewer of long ones, of which the tokens are bounded too."""
        return self._max_items + self.at_once if self.tier.usable else 0

    @property
    def for_one_request(self) -> int:
        """Sequences of one request that may be in the works: a batch for each device leaves room for others."""
        return max(2, self.batch_limit * self._engine.devices)

    @property
    def saturation(self) -> float:
        """Load over what is safe: 1.0 is the load line. A tier that never runs has no load."""
        return (self.running + self.queued) / self.at_once if self.tier.usable else 0.0

    def ever_fits(self, tokens: int) -> bool:
        """Whether so many, alone, are within what was measured at the start."""
        return self._engine.line().ever_fits(tokens)

    def waiting(self) -> Iterator[Work]:
        """Oldest first."""
        return iter(self._queue)

    def admit(self, tokens: Tokens, patience: Patience | None = None) -> Work:
        """A place for the first sequence of a request. Raises OverloadedError when there is none."""
        if self._waiters or not self._has_room(len(tokens)):
            raise OverloadedError(
                f"tier {self.tier.name} is full: {self.queued} sequences of {self.queued_tokens} tokens wait, at most "
                f"{self._max_items} and {self._max_tokens}, {self.at_once} run at once; try again later",
                tier=self.tier.name,
                retry_after=self._drain_seconds(),
            )
        return self._add(tokens, patience)

    async def follow(self, tokens: Tokens, patience: Patience | None = None) -> Work:
        """A place for a further sequence of a request that was admitted: it waits for room, before any newcomer."""
        if self._waiters or not self._has_room(len(tokens)):
            turn = asyncio.Event()
            self._waiters.append(turn)
            try:
                while self._waiters[0] is not turn or not self._has_room(len(tokens)):
                    turn.clear()
                    await turn.wait()
            finally:
                self._waiters.remove(turn)
                self._call_next()
        return self._add(tokens, patience)

    def leave(self, work: Work) -> None:
        """The caller of `work` is gone: its place is free at once, unless it is already in a batch."""
        work.outcome.cancel()
        if work in self._queue:
            self._queue.remove(work)
            self.queued_tokens -= len(work.tokens)
            self._room_changed()

    def take(self, count: int) -> list[Work]:
        """The oldest `count`, which run now."""
        batch = [self._queue.popleft() for _ in range(count)]
        self.queued_tokens -= sum(len(work.tokens) for work in batch)
        self.running += len(batch)
        self._room_changed()
        return batch

    def finish(self, count: int, seconds: float) -> None:
        """So many have run, in a batch that took so long."""
        self.running -= count
        self._batch_seconds = seconds if not self._batch_seconds else 0.8 * self._batch_seconds + 0.2 * seconds
        self._changed()

    @property
    def _max_items(self) -> int:
        return max(_QUEUE_ITEMS, _QUEUE_BATCHES * self.at_once)

    @property
    def _max_tokens(self) -> int:
        return _QUEUE_BATCHES * self.at_once * self.tier.max_tokens

    def _has_room(self, tokens: int) -> bool:
        return self.queued < self._max_items and self.queued_tokens + tokens <= self._max_tokens

    def _add(self, tokens: Tokens, patience: Patience | None) -> Work:
        work = Work(tokens, asyncio.get_running_loop().create_future(), patience or Patience())
        self._queue.append(work)
        self.queued_tokens += len(tokens)
        self._changed()
        return work

    def _room_changed(self) -> None:
        self._changed()
        self._call_next()

    def _call_next(self) -> None:
        if self._waiters:
            self._waiters[0].set()

    def _drain_seconds(self) -> int:
        batches = 1 + self.queued / (self.batch_limit * self._engine.devices)
        return max(1, min(_LONGEST_RETRY_AFTER, round(batches * self._batch_seconds)))
