"""A queue of keys: each key at most once in it, by at most one worker at a time, again when it fails or asks for it.

Knows nothing of Kubernetes. `Schedule` is plain data with the time passed in; `WorkQueue` runs workers over it.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)

IDLE_SECONDS = 60.0
"""Longest sleep of a worker that has nothing to do; it is woken at once when something is added."""


class Backlog(NamedTuple):
    """Keys that are due and wait for a worker, and how long the first of them has waited, in seconds."""

    depth: int
    oldest: float


@dataclass(frozen=True)
class Backoff:
    """Delay before a failed key is tried again: doubling from `base` to `cap` seconds, jittered, without an end."""

    base: float = 0.5
    cap: float = 300.0

    def delay(self, failures: int, luck: float) -> float:
        """Seconds after `failures` failures in a row; `luck` in [0, 1) spreads keys that failed together."""
        longest = min(self.cap, self.base * 2.0 ** min(failures - 1, 32))
        return longest * (0.5 + 0.5 * luck)


class Schedule(Generic[K]):
    """Which key is due when. A key that a worker holds is not handed out again until it is released."""

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._held: set[K] = set()
        # Entries of keys that were moved since are left in the heap and skipped when they come up.
        self._heap: list[tuple[float, int, K]] = []
        self._order = itertools.count()

    def add(self, key: K, due: float) -> None:
        """Have `key` handed out at `due`, or earlier when that was asked for before."""
        if key in self._due and self._due[key] <= due:
            return
        self._due[key] = due
        self._push(key)

    def take(self, now: float) -> K | None:
        """The key that has been due longest, now held by the caller; None when none is due."""
        self._skip_stale()
        if not self._heap or self._heap[0][0] > now:
            return None
        _, _, key = heapq.heappop(self._heap)
        del self._due[key]
        self._held.add(key)
        return key

    def release(self, key: K) -> None:
        self._held.discard(key)
        if key in self._due:
            self._push(key)

    def next_due(self) -> float | None:
        """When the next key that nobody holds is due."""
        self._skip_stale()
        return self._heap[0][0] if self._heap else None

    def backlog(self, now: float) -> Backlog:
        # A metrics thread may ask: `list` copies at once, where iterating could meet a change.
        waited = [now - due for due in list(self._due.values()) if due <= now]
        return Backlog(len(waited), max(waited, default=0.0))

    def _push(self, key: K) -> None:
        heapq.heappush(self._heap, (self._due[key], next(self._order), key))

    def _skip_stale(self) -> None:
        while self._heap:
            due, _, key = self._heap[0]
            if self._due.get(key) == due and key not in self._held:
                return
            heapq.heappop(self._heap)


@dataclass(frozen=True)
class Failure(Generic[K]):
    """A key's work raised `error`, the `count`th time in a row; it is tried again after `delay` seconds."""

    key: K
    error: Exception
    count: int
    delay: float


class WorkQueue(Generic[K]):
    """Workers over a Schedule. `work` returns when its key is wanted again, or None for only when it is added."""

    def __init__(
        self,
        work: Callable[[K], Awaitable[timedelta | None]],
        on_failure: Callable[[Failure[K]], None],
        *,
        clock: Callable[[], float],
        luck: Callable[[], float],
        backoff: Backoff,
    ) -> None:
        self._work = work
        self._on_failure = on_failure
        self._clock = clock
        self._luck = luck
        self._backoff = backoff
        self._schedule: Schedule[K] = Schedule()
        self._failures: dict[K, int] = {}
        self._changed = asyncio.Event()
        self._stopping = False

    def add(self, key: K, after: timedelta = timedelta(0)) -> None:
        self._schedule.add(key, self._clock() + after.total_seconds())
        self._changed.set()

    def backlog(self) -> Backlog:
        return self._schedule.backlog(self._clock())

    def stop(self) -> None:
        """Let each worker finish what it holds and end."""
        self._stopping = True
        self._changed.set()

    async def run(self, workers: int) -> None:
        """Work until stopped."""
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(self._run_worker(), name=f"worker-{number}")

    async def _run_worker(self) -> None:
        while not self._stopping:
            key = self._schedule.take(self._clock())
            if key is None:
                await self._wait()
            else:
                await self._handle(key)

    async def _wait(self) -> None:
        """Sleep until a key may be due. No await stands between the look at the schedule and the clearing."""
        due = self._schedule.next_due()
        pause = IDLE_SECONDS if due is None else min(IDLE_SECONDS, max(0.0, due - self._clock()))
        self._changed.clear()
        try:
            async with asyncio.timeout(pause):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _handle(self, key: K) -> None:
        try:
            again = await self._work(key)
        except Exception as error:  # noqa: BLE001  one broken object must not stop the others; it is reported
            self._retry(key, error)
        else:
            self._failures.pop(key, None)
            if again is not None:
                self.add(key, again)
        finally:
            self._schedule.release(key)
            self._changed.set()

    def _retry(self, key: K, error: Exception) -> None:
        count = self._failures.get(key, 0) + 1
        self._failures[key] = count
        delay = self._backoff.delay(count, self._luck())
        self.add(key, timedelta(seconds=delay))
        self._on_failure(Failure(key, error, count, delay))
