"""A batch that goes on elsewhere when its worker is lost, in smaller and smaller parts: any of its sequences may be the
cause, and that one must take neither all workers with it nor the others' answers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from plimsoll_server.audience import Tell
from plimsoll_server.engine.fleet.outcasts import Outcasts
from plimsoll_server.engine.fleet.remote import NoWorkerError, WorkerFaultError, WorkerLostError
from plimsoll_server.types import BatchReport, ExpertUse, Failure, Outcome, Tokens

log = logging.getLogger(__name__)

Run = Callable[[Sequence[Tokens]], Awaitable[BatchReport]]
"""On one worker, and on another than the parts of the batch that run at the same time."""

_TRIES = 3
"""Workers that one sequence may take with it: first with its batch, then with half of that, then alone."""
_LOSSES = 5
"""Workers that one batch may take with it: what two of its sequences bring about."""
_LOOK_SECONDS = 0.5
"""While parts wait for a worker: one may have come back."""


@dataclass(frozen=True, slots=True)
class _Part:
    places: Sequence[int]
    """Of its sequences in the batch."""
    number: int
    """Of the try: the first is all of the batch."""


class Failover:
    """Of one batch. Its parts run side by side, as one that hangs is waited for long."""

    def __init__(self, run: Run, outcasts: Outcasts, workers: Callable[[], int], tell: Tell) -> None:
        """`workers`: that serve now. `tell`: those who wait, once an outcome is known."""
        self._run = run
        self._outcasts = outcasts
        self._workers = workers
        self._tell = tell
        self._batch: Sequence[Tokens] = ()
        self._outcomes: dict[int, Outcome] = {}
        """By the place in the batch."""
        self._losses = 0
        self._seconds = 0.0
        self._experts: ExpertUse | None = None
        self._out_of_memory = self._abandoned = False

    async def run(self, batch: Sequence[Tokens]) -> BatchReport:
        """One outcome per sequence, or none when nobody waits any more. Raises WorkerLostError when workers were lost
        and nothing of the batch ran, WorkerFaultError when the model failed at all of it, or NoWorkerError."""
        self._batch = batch
        self._give_up([place for place, tokens in enumerate(batch) if tokens in self._outcasts])
        sound = [place for place in range(len(batch)) if place not in self._outcomes]
        if sound:
            await self._settle(_Part(sound, 1))
        if self._abandoned:
            return BatchReport(())
        if self._losses and all(self._outcomes[place] is Failure.MODEL_FAULT for place in sound):
            raise WorkerLostError(f"{self._losses} workers were lost with the same batch of {len(sound)}")
        outcomes = tuple(self._outcomes[place] for place in range(len(batch)))
        return BatchReport(outcomes, self._out_of_memory, self._seconds, tried=bool(sound), experts=self._experts)

    async def _settle(self, whole: _Part) -> None:
        """Until everything has its outcome, or nobody waits for it."""
        waiting, running = deque([whole]), set[asyncio.Task[list[_Part]]]()
        try:
            while (waiting or running) and not self._abandoned:
                while waiting and len(running) < self._at_once():
                    running.add(asyncio.create_task(self._attempt(waiting.popleft())))
                if not running:
                    self._give_up([place for part in waiting for place in part.places])
                    return
                look = _LOOK_SECONDS if waiting else None
                done, running = await asyncio.wait(running, timeout=look, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    waiting.extend(task.result())
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _at_once(self) -> int:
        """Parts: of each the worker may be lost."""
        return min(max(1, self._workers()), _LOSSES - self._losses)

    async def _attempt(self, part: _Part) -> list[_Part]:
        """What is to be tried instead, where its worker was lost."""
        try:
            report = await self._run([self._batch[place] for place in part.places])
        except (WorkerFaultError, NoWorkerError) as error:
            if not self._losses:
                raise
            log.error("%d sequences of a batch whose worker was lost are given up: %s", len(part.places), error)
            self._give_up(part.places)
        except WorkerLostError as loss:
            self._losses += 1
            log.warning("%s, and %d sequences with it", loss, len(part.places))
            return self._smaller(part)
        else:
            self._abandoned |= report.abandoned
            self._out_of_memory |= report.out_of_memory
            self._seconds += report.seconds
            if report.experts is not None:
                self._experts = report.experts if self._experts is None else self._experts + report.experts
            self._hear(dict(zip(part.places, report.outcomes, strict=False)))
        return []

    def _smaller(self, part: _Part) -> list[_Part]:
        """Halves at the second try, single sequences at the third."""
        if part.number == _TRIES:
            (place,) = part.places
            tokens = self._batch[place]
            log.error("a sequence of %d tokens took %d workers with it and is given up", len(tokens), _TRIES)
            self._outcasts.add(tokens)
            self._give_up([place])
            return []
        number, count = part.number + 1, len(part.places)
        size = (count + 1) // 2 if number < _TRIES else 1
        return [_Part(part.places[at : at + size], number) for at in range(0, count, size)]

    def _give_up(self, places: Sequence[int]) -> None:
        self._hear(dict.fromkeys(places, Failure.MODEL_FAULT))

    def _hear(self, outcomes: dict[int, Outcome]) -> None:
        self._outcomes |= outcomes
        for place, outcome in outcomes.items():
            self._tell(place, outcome)
