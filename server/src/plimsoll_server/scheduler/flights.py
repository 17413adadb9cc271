"""Answers that are being made: whoever asks for the same while it is made waits for it, and it is made once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.passage import Ride
from plimsoll_server.scheduler.tiers import Tier


class Flight:
    """One answer on its way. It goes on while one caller waits, and ends with the last."""

    def __init__(self, key: bytes, ride: Ride) -> None:
        self.key = key
        self.ride = ride
        self.tier: Tier | None = None
        """Once it is known."""
        self.task: asyncio.Task[Answer]
        self.callers = 0

    def failed_with(self, error: Exception) -> bool:
        return self.task.done() and not self.task.cancelled() and self.task.exception() is error


class Flights:
    def __init__(self) -> None:
        self._by_key: dict[bytes, Flight] = {}

    def find(self, key: bytes) -> Flight | None:
        return self._by_key.get(key)

    def begin(self, flight: Flight, work: Coroutine[Any, Any, Answer]) -> None:
        """Whoever begins a flight waits for its arrival."""
        flight.task = asyncio.create_task(work)
        self._by_key[flight.key] = flight
        flight.task.add_done_callback(lambda task: self._landed(flight, task))

    async def arrivals(self, flights: Sequence[Flight]) -> list[Answer]:
        """The answer of each flight; the first that fails ends the wait. A flight that nobody waits for is ended."""
        if not flights:
            return []
        for flight in flights:
            flight.callers += 1
        try:
            done, _ = await asyncio.wait({flight.task for flight in flights}, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            return [flight.task.result() for flight in flights]
        finally:
            for flight in flights:
                self._leave(flight)

    def _leave(self, flight: Flight) -> None:
        flight.callers -= 1
        if not flight.callers:
            self._forget(flight)
            flight.task.cancel()

    def _landed(self, flight: Flight, task: asyncio.Task[Answer]) -> None:
        self._forget(flight)
        if not task.cancelled():
            # The last caller may have left in the moment in which it failed: then nobody else looks.
            task.exception()

    def _forget(self, flight: Flight) -> None:
        if self._by_key.get(flight.key) is flight:
            del self._by_key[flight.key]
