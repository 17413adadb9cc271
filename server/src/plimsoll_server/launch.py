"""From the settings to what runs the batches: one engine in this process, or a fleet with a worker for each device."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from plimsoll_server.engine.cpus import usable_cpus
from plimsoll_server.engine.fleet.fleet import Fleet
from plimsoll_server.engine.fleet.places import places, servers_share, workers_wanted
from plimsoll_server.engine.fleet.replacing import FleetObserver
from plimsoll_server.engine.order import EngineOrder
from plimsoll_server.engine.process_memory import ProcessBudget, container_limit, private_bytes
from plimsoll_server.models.find import find_model
from plimsoll_server.phases import Phases
from plimsoll_server.settings import Settings

if TYPE_CHECKING:
    from plimsoll_server.engine.engine import Engine

AnyEngine: TypeAlias = "Engine | Fleet"


@dataclass(frozen=True, slots=True)
class Crew:
    """What a launch is given beside the settings: the devices there are, and who is told of them."""

    gpus: Sequence[str]
    observer: FleetObserver
    phases: Phases = field(default_factory=Phases)


async def launch(settings: Settings, pool: ThreadPoolExecutor, crew: Crew) -> AnyEngine:
    """Loads the model: on `pool`, or in worker processes where there are several devices. Raises StartError."""
    loop = asyncio.get_running_loop()
    count = workers_wanted(settings.devices, crew.gpus)
    order = await loop.run_in_executor(pool, _order, settings, crew.phases)
    if count == 1:
        return await loop.run_in_executor(pool, _in_this_process, order, pool, crew.phases)
    return await _fleet(order, count, crew)


async def keep(engine: AnyEngine) -> None:
    """Has devices that fail replaced, and memory looked after, until cancelled. Raises StartError when that is of no
    more use."""
    await engine.keep()
    await asyncio.Event().wait()


def runs_here(engine: AnyEngine) -> bool:
    """Whether batches take the memory of this process."""
    return not isinstance(engine, Fleet) and engine.info.device == "cpu"


async def dismiss(engine: AnyEngine) -> None:
    """Ends what runs beside this process."""
    if isinstance(engine, Fleet):
        await engine.close()


def _order(settings: Settings, phases: Phases) -> EngineOrder:
    """What a missing or incomplete model needs to be told is known before the seconds that torch takes to import."""
    return EngineOrder(
        model=settings.config.model,
        located=find_model(settings.config.model.location, phases),
        memory_percent=settings.config.memory_utilization_percent,
        threads=usable_cpus(),
        memory_limit=container_limit(settings.memory_limit_bytes),
        promised_bytes=settings.cache_bytes,
        calibration_directory=settings.calibration_directory,
    )


def _in_this_process(order: EngineOrder, pool: ThreadPoolExecutor, phases: Phases) -> Engine:
    with phases.timed("import"):
        from plimsoll_server.engine.build import build_engine
    with phases.timed("load"):
        return build_engine(order, pool)


async def _fleet(order: EngineOrder, count: int, crew: Crew) -> Fleet:
    own = servers_share(order.memory_limit, private_bytes(), order.promised_bytes)
    fleet = Fleet(places(order, count, crew.gpus, own), crew.observer)
    await fleet.launch(crew.phases.add_longest)
    if own and not crew.gpus:
        # The workers hold themselves below their parts, and this process below its own.
        ProcessBudget(planned=own, ceiling=own).hold()
    return fleet
