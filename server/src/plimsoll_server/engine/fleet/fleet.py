"""The fleet: an engine to the scheduler, and behind it a worker process for each device."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from plimsoll_server.audience import Audience
from plimsoll_server.engine.fleet.failover import Failover
from plimsoll_server.engine.fleet.outcasts import Outcasts
from plimsoll_server.engine.fleet.places import Place
from plimsoll_server.engine.fleet.remote import NoWorkerError, Worker, WorkerFaultError, WorkerLostError
from plimsoll_server.engine.fleet.replacing import START_SECONDS, FleetObserver, Schooling, lost, next_in
from plimsoll_server.engine.fleet.restarts import PAUSES, WINDOW_SECONDS, Restarts
from plimsoll_server.engine.fleet.tempo import Tempo
from plimsoll_server.engine.process_memory import DeviceMemory
from plimsoll_server.errors import StartError
from plimsoll_server.types import BatchReport, Calibration, LoadLine, ModelInfo, Tokens

log = logging.getLogger(__name__)

_WAIT_SECONDS = 120.0
"""That a batch waits while no worker serves; its callers have a deadline of their own."""


class Fleet:
    """Called like the one engine that each worker has. What it says of memory, load and health is said of all."""

    def __init__(self, places: Sequence[Place], observer: FleetObserver, pauses: Sequence[float] = PAUSES) -> None:
        """`pauses`: seconds before each replacement of a worker; after so many its place is given up."""
        self._places = places
        self._observer = observer
        self._pauses = pauses
        self._tempo = Tempo()
        self._outcasts = Outcasts()
        self._workers: dict[int, Worker] = {}
        self._schooling: Schooling = []
        """The calls that each worker goes through before it serves, its successors too."""
        self._manned = asyncio.Event()

    async def launch(self, learned: Callable[[Mapping[str, float]], None]) -> None:
        """Starts all workers side by side and tells what each phase took. Raises StartError when one cannot start."""
        workers = [Worker(place) for place in self._places]
        self._workers = {worker.place.number: worker for worker in workers}
        for built in await self._of_all([worker.begin() for worker in workers]):
            self._info: ModelInfo = built.info
            learned(built.seconds)
        for worker in workers:
            self._enter(worker)

    @property
    def info(self) -> ModelInfo:
        return self._info

    async def start(self, long: Tokens, short: Tokens, probe: Tokens) -> None:
        await self._school("start", long=long, short=short, probe=probe)

    async def calibrate(self, sample: Tokens, longest: int, together: int) -> Calibration | None:
        """The one with the least room for tokens."""
        found = await self._school("calibrate", sample=sample, longest=longest, together=together)
        return min(
            (one for one in found if one is not None), key=lambda one: one.room // one.bytes_per_token, default=None
        )

    @property
    def devices(self) -> int:
        """So many as serve now; fewer while one is being replaced."""
        return max(1, len(self._serving()))

    def line(self) -> LoadLine:
        """The lowest of them all."""
        lines = [worker.line for worker in self._workers.values()] or [LoadLine()]
        return min(lines, key=lambda line: (math.inf if line.tokens is None else line.tokens, line.factor))

    async def run(
        self, batch: Sequence[Tokens], *, between: bool = False, audience: Audience | None = None
    ) -> BatchReport:
        """As an engine's. A batch whose worker is lost runs again elsewhere, in parts. Raises WorkerLostError when it
        was lost too often, WorkerFaultError or NoWorkerError."""
        audience = audience or Audience()
        run = partial(self._run_once, between=between, audience=audience, taken=set())
        return await Failover(run, self._outcasts, lambda: len(self._serving()), audience.tell).run(batch)

    async def _run_once(
        self, batch: Sequence[Tokens], *, between: bool, audience: Audience, taken: set[Worker]
    ) -> BatchReport:
        """On none of the workers that are `taken`, if there is another."""
        serving = await self._some_serving()
        if audience.gone:
            return BatchReport(())
        free = [worker for worker in serving if worker not in taken]
        worker = (_host if between else _least_loaded)(free or serving)
        taken.add(worker)
        try:
            report = await worker.run(batch, between=between, audience=audience)
        finally:
            taken.discard(worker)
        if report.longest_step:
            self._tempo.ran(batch, report.longest_step)
        self._observer.worker_batch(worker.place.number)
        return report

    def memory(self) -> DeviceMemory:
        """Of all workers together."""
        memories = [worker.memory for worker in self._serving()]
        return DeviceMemory(
            sum(memory.used for memory in memories),
            _sum([memory.limit for memory in memories]),
            _sum([memory.unused for memory in memories]),
            _sum([memory.planned for memory in memories]),
        )

    def busy_seconds(self) -> float:
        """That every worker has been at its batch: one that hangs is replaced."""
        return min((worker.busy_seconds() for worker in self._serving()), default=0.0)

    def suspect_seconds(self) -> float:
        return min((worker.suspect_seconds() for worker in self._serving()), default=0.0)

    async def proves_itself(self) -> bool:
        """Whether any worker is well."""
        return any(await asyncio.gather(*map(_is_well, self._serving())))

    async def keep(self) -> None:
        """Replaces workers that end or hang, until cancelled. Raises StartError when none is left."""
        keepers = [asyncio.create_task(self._keep(place)) for place in self._places]
        try:
            await asyncio.gather(*keepers)
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.wait(keepers)
        raise StartError(
            f"each of the {len(self._places)} workers ended more than {len(self._pauses)} times within "
            f"{WINDOW_SECONDS / 60:g} minutes; the log says how, and SIGKILL is most often the memory limit's"
        )

    async def close(self) -> None:
        """Ends all workers and waits for them."""
        await asyncio.gather(*(worker.close() for worker in self._workers.values()))

    def pids(self) -> tuple[int, ...]:
        """Of the processes, in the order of their places."""
        return tuple(worker.pid for worker in self._workers.values())

    def _serving(self) -> list[Worker]:
        return [worker for worker in self._workers.values() if not worker.ended]

    async def _some_serving(self) -> list[Worker]:
        """At least one. Raises NoWorkerError when none comes back in time."""
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                while not (serving := self._serving()):
                    self._manned.clear()
                    await self._manned.wait()
        except TimeoutError:
            raise NoWorkerError(f"no worker served for {_WAIT_SECONDS:g} s") from None
        return serving

    async def _school(self, method: str, **arguments: Any) -> list[Any]:
        """Raises StartError, also where a worker says nothing for too long."""
        self._schooling.append((method, arguments))
        try:
            async with asyncio.timeout(START_SECONDS):
                return await self._of_all([worker.call(method, **arguments) for worker in self._workers.values()])
        except TimeoutError:
            raise StartError(
                f"a worker did not {method} within {START_SECONDS:g} s; its device or its disk does not answer"
            ) from None

    async def _of_all(self, calls: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
        """What every one returns. Raises StartError, and leaves no worker behind, when one fails or nobody waits."""
        try:
            return await asyncio.gather(*calls)
        except (WorkerLostError, WorkerFaultError) as error:
            await self.close()
            raise StartError(f"a worker failed while it started: {error}; the log may say more") from error
        except BaseException:
            await self.close()
            raise

    def _enter(self, worker: Worker) -> None:
        """From now on it gets batches, no more of them than those that were there."""
        worker.tokens_taken = min((other.tokens_taken for other in self._serving() if other is not worker), default=0)
        self._workers[worker.place.number] = worker
        self._observer.worker_up(worker.place.number, up=True)
        self._manned.set()

    async def _keep(self, place: Place) -> None:
        """Returns when the place was given up."""
        restarts = Restarts(self._pauses)
        while place.number in self._workers:
            await lost(self._workers[place.number], self._tempo)
            self._observer.worker_up(place.number, up=False)
            successor = await next_in(place, self._schooling, restarts, self._observer)
            if successor is None:
                log.error("worker %d is given up: it ended more than %d times", place.number, len(self._pauses))
                del self._workers[place.number]
            else:
                log.info("worker %d is replaced", place.number)
                self._enter(successor)


def _sum(sizes: Sequence[int | None]) -> int | None:
    """None where any is unknown, or there are none."""
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None


def _least_loaded(workers: Sequence[Worker]) -> Worker:
    return min(workers, key=lambda it: (it.suspect_seconds() > 0, it.tokens_on_hand, it.tokens_taken))


def _host(workers: Sequence[Worker]) -> Worker:
    """For a batch that runs within another: an idle worker is best, and a long batch feels it least."""
    return min(workers, key=lambda it: (it.tokens_on_hand > 0, it.guests, -it.tokens_on_hand))


async def _is_well(worker: Worker) -> bool:
    if worker.suspect_seconds() == 0:
        return True
    try:
        return bool(await worker.call("proves_itself"))
    except (WorkerLostError, WorkerFaultError):
        return False
