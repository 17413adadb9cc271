"""The loop that feeds the engine: pick a lane, take a batch, run it, hand out the outcomes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from plimsoll_server.scheduler.lanes import Lane, Work
from plimsoll_server.types import BatchReport, Failure, LoadLine, Tokens

log = logging.getLogger(__name__)


class Engine(Protocol):
    """One device with a model on it, or several that are given the batches by turns."""

    @property
    def devices(self) -> int:
        """So many ordinary batches may run at once."""

    def line(self) -> LoadLine:
        """Of each device. It changes: a shortage of memory lowers it, and it comes back slowly."""

    async def run(self, batch: Sequence[Tokens], *, between: bool = False) -> BatchReport:
        """One outcome per sequence; running out of memory is an outcome, a fault of the model is an exception.

        `between`: not behind the batch that runs but within it, before its next layer, one such batch before each; or
        at once where nothing runs. It changes the answer of neither. Its memory comes on top of the other's.
        """


class BatchObserver(Protocol):
    def batch_done(self, tier: str, *, out_of_memory: bool, failed: bool) -> None: ...


class Record(Protocol):
    """Where it is noted what runs, in case the process does not live to tell."""

    def running(self, tier: str, tokens: int, sequences: int) -> AbstractContextManager[None]: ...


class Dispatcher:
    """One batch at a time, the lanes by turns: no tier starves, and a short text waits for one long batch at most."""

    def __init__(self, lanes: Sequence[Lane], engine: Engine, observer: BatchObserver, record: Record) -> None:
        self._turns = deque(lanes)
        self._engine = engine
        self._observer = observer
        self._record = record
        self._work = asyncio.Event()

    def wake(self) -> None:
        self._work.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            lane = self._next_lane()
            if lane is None:
                self._work.clear()
                await self._work.wait()
            else:
                await self._run_batch(lane)

    def _next_lane(self) -> Lane | None:
        """The lane with work that has not been served for longest."""
        lane = next((lane for lane in self._turns if lane.queued), None)
        if lane is not None:
            self._turns.remove(lane)
            self._turns.append(lane)
        return lane

    async def _run_batch(self, lane: Lane) -> None:
        batch = lane.take()
        started = time.monotonic()
        try:
            with self._record.running(lane.tier.name, sum(len(work.tokens) for work in batch), len(batch)):
                report = await self._engine.run([work.tokens for work in batch])
        except Exception:
            # Whatever went wrong in the model is over with this batch; the next one deserves its try.
            log.exception("a batch of %d failed in tier %s", len(batch), lane.tier.name)
            report = BatchReport((Failure.MODEL_FAULT,) * len(batch))
        finally:
            lane.finish(batch, time.monotonic() - started)
        self._observer.batch_done(lane.tier.name, out_of_memory=report.out_of_memory, failed=report.failed)
        _hand_out(batch, report)


def _hand_out(batch: Sequence[Work], report: BatchReport) -> None:
    for work, outcome in zip(batch, report.outcomes, strict=True):
        if not work.outcome.done():
            work.outcome.set_result(outcome)
