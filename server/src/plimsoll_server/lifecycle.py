"""The phases of the process, and what a probe is told in each."""

from __future__ import annotations

import asyncio
import time
from enum import Enum


class Phase(Enum):
    LOADING = "loading"
    WARMING_UP = "warming up"
    SERVING = "serving"
    DRAINING = "draining"


class Lifecycle:
    """Where the process is in its life, and how many requests it still owes an answer."""

    def __init__(self) -> None:
        self.phase = Phase.LOADING
        self.started = time.monotonic()
        self.started_at = int(time.time())
        """Unix seconds."""
        self.in_flight = 0
        self.last_request = 0.0
        self._ending = asyncio.Event()
        self._hurried = False

    @property
    def uptime(self) -> float:
        """Seconds."""
        return time.monotonic() - self.started

    def loaded(self) -> None:
        """The weights are there, and are tried out next."""
        if self.phase is Phase.LOADING:
            self.phase = Phase.WARMING_UP

    def serving(self) -> None:
        """The model is up. A process told to end in the meantime stays on its way out."""
        if self.phase in (Phase.LOADING, Phase.WARMING_UP):
            self.phase = Phase.SERVING

    def drain(self) -> None:
        """Told to end. Told twice, whoever asks does not want to wait."""
        self._hurried = self.phase is Phase.DRAINING
        self.phase = Phase.DRAINING
        self._ending.set()

    async def told_to_end(self) -> None:
        await self._ending.wait()

    def request_began(self) -> None:
        self.in_flight += 1
        self.last_request = time.monotonic()

    def request_ended(self) -> None:
        self.in_flight -= 1
        self.last_request = time.monotonic()

    async def drained(self, *, linger: float, deadline: float) -> bool:
        """Waits until nothing is in flight and nothing has come for a second, at least `linger` seconds.

        False when `deadline` seconds were not enough, or somebody was in a hurry.
        """
        began = time.monotonic()
        while not self._hurried and (waited := time.monotonic() - began) < deadline:
            quiet = self.in_flight == 0 and time.monotonic() - self.last_request >= min(1.0, linger)
            if waited >= linger and quiet:
                return True
            await asyncio.sleep(0.05)
        return False
