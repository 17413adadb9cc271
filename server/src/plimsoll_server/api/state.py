"""What the protocols share: the scheduler once there is one, and what is said of the process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Depends, Request

from plimsoll_server.config import ServerConfig
from plimsoll_server.lifecycle import Lifecycle, Phase
from plimsoll_server.scheduler.errors import NotServingError
from plimsoll_server.scheduler.scheduler import Scheduler

_LOADING_RETRY_AFTER = 5


class EngineHealth(Protocol):
    """What the probes ask of the engine."""

    def busy_seconds(self) -> float: ...
    def suspect_seconds(self) -> float: ...
    async def proves_itself(self) -> bool: ...


@dataclass
class Service:
    """`scheduler` and `engine` are there once the model is loaded."""

    config: ServerConfig
    lifecycle: Lifecycle
    scheduler: Scheduler | None = None
    engine: EngineHealth | None = None

    def working(self) -> Scheduler:
        """The scheduler; also while draining, since callers learn late that the pod is ending."""
        if self.scheduler is None or self.lifecycle.phase is Phase.LOADING:
            raise NotServingError("the model is still loading; try again", retry_after=_LOADING_RETRY_AFTER)
        return self.scheduler


# Coroutines: FastAPI runs plain functions in threads of its own, whose stacks count as memory.
async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]


async def _scheduler(service: ServiceOf) -> Scheduler:
    return service.working()


SchedulerOf = Annotated[Scheduler, Depends(_scheduler)]
