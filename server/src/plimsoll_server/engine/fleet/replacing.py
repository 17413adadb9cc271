"""When a worker has to go, and how another comes in its place."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Protocol

from plimsoll_server.engine.fleet.places import Place
from plimsoll_server.engine.fleet.remote import Worker, WorkerFaultError, WorkerLostError
from plimsoll_server.engine.fleet.restarts import Restarts
from plimsoll_server.engine.fleet.tempo import Tempo
from plimsoll_server.errors import StartError

log = logging.getLogger(__name__)

_SILENT_SECONDS = 120.0
"""For a worker that has nothing to do."""
_BROKEN_SECONDS = 60.0
"""A worker whose memory does not come back in this time is worth a restart."""
_LOOK_SECONDS = 1.0
START_SECONDS = 900.0
"""A worker that is not ready by then will not be: it waits for a disk, or for a device that does not answer."""

Schooling = list[tuple[str, Mapping[str, Any]]]
"""The calls that a worker goes through before it serves."""


class FleetObserver(Protocol):
    def worker_up(self, number: int, *, up: bool) -> None: ...
    def worker_batch(self, number: int) -> None: ...
    def worker_replaced(self, number: int) -> None: ...


async def lost(worker: Worker, tempo: Tempo) -> None:
    """Returns once its process has ended, which is brought about when nothing else can help."""
    while not await worker.ends_within(_LOOK_SECONDS):
        reason = _hopeless(worker, tempo.patience(worker.heaviest))
        if reason is not None:
            log.error("worker %d is ended: %s", worker.place.number, reason)
            worker.kill()


def _hopeless(worker: Worker, patience: float) -> str | None:
    """`patience`: seconds that a layer of its batch may take."""
    if (silent := worker.silent_seconds()) > (patience if worker.heaviest else _SILENT_SECONDS):
        return f"it has said nothing for {silent:.0f} s"
    if (still := worker.still_seconds()) > patience:
        return f"a layer of its batch has been running for {still:.0f} s, and {patience:.0f} s would be long"
    if (suspect := worker.suspect_seconds()) > _BROKEN_SECONDS:
        return f"its memory has not come back for {suspect:.0f} s"
    return None


async def next_in(place: Place, schooling: Schooling, restarts: Restarts, observer: FleetObserver) -> Worker | None:
    """A worker that is ready to serve in the place of one that has ended. None when there were too many."""
    while (pause := restarts.pause(time.monotonic())) is not None:
        await asyncio.sleep(pause)
        observer.worker_replaced(place.number)
        worker = Worker(place)
        try:
            async with asyncio.timeout(START_SECONDS):
                await worker.begin()
                for method, arguments in schooling:
                    await worker.call(method, **arguments)
        except (StartError, WorkerLostError, WorkerFaultError, TimeoutError) as error:
            reason = str(error) or f"it was not ready within {START_SECONDS:g} s"
            log.error("worker %d could not be replaced: %s", place.number, reason)
            await worker.close()
        except asyncio.CancelledError:
            await worker.close()
            raise
        else:
            return worker
    return None
