"""Whether memory still comes back: after several sequences in a row that ran out of it even alone, the engine has to
prove itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from plimsoll_server.types import BatchReport, Failure

log = logging.getLogger(__name__)

_SUSPECT_AFTER = 5
"""Sequences in a row."""

_JUST_NOW = 1e-3

_PROOF_SECONDS = 1.0
"""How long a readiness probe waits for that proof; it goes on in the background."""


class Doubt:
    def __init__(self, probe: Callable[[], Awaitable[BatchReport]]) -> None:
        """`probe`: runs what the engine must manage to be called well, and has its report heard."""
        self._probe = probe
        self._lone_failures = 0
        self._since: float | None = None
        self._proof: asyncio.Task[None] | None = None

    def hear(self, report: BatchReport) -> None:
        """Of each batch that ran."""
        if report.abandoned:
            return
        lost = sum(outcome is Failure.OUT_OF_MEMORY for outcome in report.outcomes)
        if lost < len(report.outcomes):
            self._lone_failures, self._since = 0, None
            return
        self._lone_failures += lost
        if self._lone_failures >= _SUSPECT_AFTER and self._since is None:
            self._since = time.monotonic()
            log.error("%d sequences in a row ran out of memory alone", self._lone_failures)

    def seconds(self, busy_since: float | None) -> float:
        """How long it is since memory stopped coming back, for all that is known; 0 when all is well.

        What the batch that runs since `busy_since` has to say of it is known at its end, and a long one takes its time.
        """
        if self._since is None:
            return 0.0
        known = busy_since or time.monotonic()
        return max(_JUST_NOW, known - self._since)

    async def is_dispelled(self) -> bool:
        """Whether there is none. Where there is, the probe is run first, at most one at a time."""
        if self._since is None:
            return True
        if self._proof is None or self._proof.done():
            self._proof = asyncio.create_task(self._prove())
        await asyncio.wait({self._proof}, timeout=_PROOF_SECONDS)
        return self._since is None

    async def _prove(self) -> None:
        report = await self._probe()
        log.log(logging.ERROR if report.out_of_memory else logging.INFO, "self-check: %s", report.outcomes[0])
