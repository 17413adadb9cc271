"""What the protocols share: the scheduler once there is one, and what is said of the process."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Protocol

from fastapi import Depends, Request

from plimsoll_server.api.problems import NoSuchModelError
from plimsoll_server.config import ServerConfig
from plimsoll_server.lifecycle import Lifecycle, Phase
from plimsoll_server.phases import Phases
from plimsoll_server.scheduler.errors import NotServingError
from plimsoll_server.scheduler.scheduler import Scheduler
from plimsoll_server.types import Calibration, LoadLine

if TYPE_CHECKING:
    from plimsoll_server.jobs.desk import Desk

_LOADING_RETRY_AFTER = 5


class EngineHealth(Protocol):
    """What is asked of the engine by probes and people."""

    @property
    def devices(self) -> int: ...

    def busy_seconds(self) -> float: ...
    def suspect_seconds(self) -> float: ...
    async def proves_itself(self) -> bool: ...
    def line(self) -> LoadLine: ...


@dataclass
class Service:
    """`scheduler` and `engine` are there once the model is loaded."""

    config: ServerConfig
    lifecycle: Lifecycle
    scheduler: Scheduler | None = None
    engine: EngineHealth | None = None
    calibration: Calibration | None = None
    """What was measured at the start; None where nothing could be."""
    phases: Phases = field(default_factory=Phases)
    """Of the start, those that are over."""
    deployment: str = ""
    """The name of what this is a replica of, where it is told."""
    desk: Desk | None = None
    """Where jobs are taken, where there is a Redis for them."""

    @property
    def model_name(self) -> str:
        """By which callers name the model: the deployment's name, else the last part of where the model lies."""
        return self.deployment or re.split("[:@]", PurePosixPath(self.config.model.location).name)[0] or "model"

    @property
    def model_version(self) -> str:
        """The revision that was loaded; a model that has none is the first of its name."""
        return (self.scheduler and self.scheduler.info.revision) or "1"

    def require_version(self, version: str) -> None:
        """Raises NoSuchModelError for another version than the one that is served."""
        if version != self.model_version:
            raise NoSuchModelError(f"no such version; the one that is served here is {self.model_version}")

    def require_model(self, name: str | None) -> None:
        """Raises NoSuchModelError for the name of another model. No name at all is none of another."""
        if name and name not in (self.model_name, self.config.model.location):
            raise NoSuchModelError(f"no such model; the one that is served here is named {self.model_name}")

    def working(self) -> Scheduler:
        """The scheduler; also while draining, since callers learn late that the pod is ending."""
        if self.scheduler is None or self.lifecycle.phase is Phase.LOADING:
            raise NotServingError("the model is still loading; try again", retry_after=_LOADING_RETRY_AFTER)
        return self.scheduler


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


# Coroutines: FastAPI runs plain functions in threads of its own, whose stacks count as memory.
async def _service(request: Request) -> Service:
    return service_of(request)


ServiceOf = Annotated[Service, Depends(_service)]


async def _scheduler(service: ServiceOf) -> Scheduler:
    return service.working()


SchedulerOf = Annotated[Scheduler, Depends(_scheduler)]
