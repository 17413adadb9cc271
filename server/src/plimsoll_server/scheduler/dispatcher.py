"""The loop that feeds the engine: form a pack when one may run, run it, hand out the outcomes."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

from plimsoll_server.audience import Audience
from plimsoll_server.scheduler.breaker import Breaker
from plimsoll_server.scheduler.gathering import Gathering
from plimsoll_server.scheduler.lanes import Lane, Work
from plimsoll_server.scheduler.memory_claims import MemoryClaims
from plimsoll_server.scheduler.on_devices import OnDevices, Running
from plimsoll_server.scheduler.pace import Pace
from plimsoll_server.scheduler.pack_spans import trace_pack
from plimsoll_server.scheduler.packs import Pack, Room, foremost, narrowed, take_pack
from plimsoll_server.types import BatchReport, Failure, LoadLine, Outcome, Tokens

log = logging.getLogger(__name__)


class Engine(Protocol):
    """One device with a model on it, or several that are given the batches by turns."""

    @property
    def devices(self) -> int:
        """So many ordinary batches may run at once."""

    def line(self) -> LoadLine:
        """Of each device. It changes: a shortage of memory lowers it, and it comes back slowly."""

    async def run(
        self, batch: Sequence[Tokens], *, between: bool = False, audience: Audience | None = None
    ) -> BatchReport:
        """One outcome per sequence: running out of memory is one, and so is a fault of the model at some of them. Where
        it failed and none ran, that is an exception.

        `between`: not behind the batch that runs but within it, before its next layer, one such batch before each; or
        at once where nothing runs. It changes the answer of neither. Its memory comes on top of the other's.
        `audience`: for whom; it may be told some outcomes before the others are there. A batch that others run within
        shall be done for them in time, and is ended once they are gone: then there is no outcome.
        """


class BatchObserver(Protocol):
    def batch_done(self, tier: str, report: BatchReport) -> None: ...


class Record(Protocol):
    """Where it is noted what runs, in case the process does not live to tell."""

    def running(self, tier: str, tokens: int, sequences: int) -> AbstractContextManager[None]: ...


class Dispatcher:
    """The lanes by turns, so that no tier starves, and short packs within the long ones that run."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        engine: Engine,
        observer: BatchObserver,
        record: Record,
        breaker: Breaker,
        claims: MemoryClaims,
        ordinary: Tokens,
    ) -> None:
        """`claims`: on the memory that texts take too while they are tokenised. `ordinary`: a short text that a sound
        engine runs."""
        self._turns = deque(lanes)
        self._engine = engine
        self._observer = observer
        self._record = record
        self._breaker = breaker
        self._claims = claims
        self._ordinary = ordinary
        self._pace = Pace()
        self._gathering = Gathering()
        self._on_devices = OnDevices(lane.tier for lane in lanes)
        self._passed_over: Lane | None = None
        """Whose turn it was, had texts left it memory."""
        self._work = asyncio.Event()

    def wake(self) -> None:
        self._work.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        loop = asyncio.get_running_loop()
        self._claims.tell_packs(partial(loop.call_soon_threadsafe, self.wake))
        try:
            async with asyncio.TaskGroup() as packs:
                while True:
                    self._work.clear()
                    while (running := self._next()) is not None:
                        packs.create_task(self._run(running))
                    await self._work.wait()
        finally:
            self._claims.tell_packs(None)

    def _next(self) -> Running | None:
        """The next pack, if one may run now: on a device of its own, or between the layers of another."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        line = self._engine.line()
        guest = self._on_devices.ordinary >= self._engine.devices
        if not guest and self._gathers(now):
            loop.call_at(self._gathering.until, self.wake)
            return None
        room = self._on_devices.room_for_guest(line) if guest else self._room(line)
        pack = self._take_pack(room, line)
        if pack is None:
            return None
        for lane, _ in pack.lanes:
            self._turns.remove(lane)
            self._turns.append(lane)
        claimed = self._claims.pack_begins(line.bytes_of(pack.tokens))
        return self._on_devices.begin(pack, guest=guest, now=now, claimed=claimed)

    def _take_pack(self, room: Room | None, line: LoadLine) -> Pack | None:
        """One for which there is memory beside the texts that are tokenised now. Whoever is passed over for want of it
        waits for those, and has its memory kept for it: else texts and shorter packs could go on for ever."""
        wanted = None if room is None else foremost(self._turns, room)
        pack = None
        if room is not None and wanted is not None:
            pack = take_pack(self._turns, narrowed(room, line.tokens_in(self._claims.for_a_pack())))
        leader = None if pack is None else pack.lanes[0][0]
        if self._passed_over is None or self._passed_over is leader or not self._passed_over.queued:
            self._passed_over = None if wanted is leader else wanted
        self._claims.keep_for_packs(0 if self._passed_over is None else self._needed(self._passed_over, wanted, line))
        return pack

    def _needed(self, lane: Lane, wanted: Lane | None, line: LoadLine) -> int:
        """Bytes for all packs once the oldest of `lane` runs: after those that run now, or beside if it could begin."""
        beside = self._on_devices.claimed if lane is wanted else 0
        return beside + line.bytes_of(len(next(lane.waiting()).tokens))

    def _room(self, line: LoadLine) -> Room:
        within_memory = math.inf if line.tokens is None else line.tokens
        return Room(tokens=min(within_memory, self._pace.worthwhile_tokens))

    async def _run(self, running: Running) -> None:
        pack = running.pack
        report = BatchReport((Failure.MODEL_FAULT,) * len(pack.works))
        faulty = False
        self._breaker.batch_begins()
        started = time.monotonic()
        try:
            with self._record.running(pack.tier.name, pack.tokens, len(pack.works)):
                batch = [work.tokens for work in pack.works]
                report = await self._engine.run(batch, between=running.guest, audience=running.audience)
        except Exception:
            # Whatever went wrong in the model is over with this pack; the next one deserves its try.
            log.exception("a pack of %d failed in tier %s", len(pack.works), pack.tier.name)
            faulty = True
        finally:
            seconds = time.monotonic() - started
            self._ended(running, seconds, len(report.outcomes))
            trace_pack(running, report.seconds, started, started + seconds)
        if not report.tried:
            self._breaker.batch_not_tried()
        elif not report.abandoned:
            self._breaker.batch_done(faulty=faulty and await self._is_the_engines())
        self._observer.batch_done(pack.tier.name, report)
        if not (running.guest or running.had_guests or report.failed or report.abandoned):
            self._pace.ran(pack.tokens, seconds)
        _hand_out(pack.works, report.outcomes)

    def _gathers(self, now: float) -> bool:
        """Whether to wait for callers: not beside other devices that run, nor where the tokens fill a pack."""
        tokens = sum(lane.queued_tokens for lane in self._turns)
        idle = not self._on_devices.ordinary and tokens < self._pace.worthwhile_tokens
        return idle and self._gathering.holds(now, self._waiting())

    def _waiting(self) -> int:
        return sum(lane.queued for lane in self._turns)

    async def _is_the_engines(self) -> bool:
        """Whether a fault is to be held against the engine. Texts that it fails at, one by one, look like an engine
        that fails at everything: an ordinary text tells them apart before the circuit opens for all, if it has its
        answer."""
        if not self._breaker.about_to_open:
            return True
        try:
            report = await self._engine.run([self._ordinary], between=True)
        except Exception:
            log.exception("an ordinary text failed too")
            return True
        return report.failed

    def _ended(self, running: Running, seconds: float, answered: int) -> None:
        if not running.guest:
            now = asyncio.get_running_loop().time()
            self._gathering.pack_ended(now, seconds, answered=answered, waiting=self._waiting())
        self._on_devices.end(running)
        self._claims.pack_ends(running.claimed)
        for lane, count in running.pack.lanes:
            lane.finish(count, seconds)


def _hand_out(works: Sequence[Work], outcomes: Sequence[Outcome]) -> None:
    """To those who still wait: for what has no outcome nobody does."""
    for work, outcome in zip(works, outcomes, strict=False):
        work.hear(outcome)
