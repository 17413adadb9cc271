"""Health: /health for people, /startupz, /livez and /readyz for probes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from plimsoll_server.api.state import Service, ServiceOf
from plimsoll_server.lifecycle import Phase

router = APIRouter(tags=["health"])


class Status(BaseModel):
    status: Annotated[str, Field(description="Or what is wrong.", examples=["ready"])]


class Health(Status):
    uptime: Annotated[float, Field(description="Seconds.")]


_UNWELL: dict[int | str, dict[str, Any]] = {503: {"model": Status, "description": "It is not well, and why"}}

_STUCK_SECONDS = 900.0
"""No batch that fits a tier takes so long on any device: its thread hangs."""
_BROKEN_SECONDS = 60.0
"""A process whose memory does not come back in this time is worth a restart."""
_STARVED_SECONDS = 15.0
"""An idle engine gives memory back every few seconds."""


@router.head("/health", include_in_schema=False)
@router.get("/health", response_model=Health, responses={503: {"model": Health, "description": "Not well"}})
async def health(service: ServiceOf) -> JSONResponse:
    phase = service.lifecycle.phase
    status = "ok" if phase is Phase.SERVING else phase.value
    if broken(service):
        status = "broken"
    code = 200 if status in ("ok", "draining") else 503
    return JSONResponse({"status": status, "uptime": round(service.lifecycle.uptime, 3)}, code)


@router.head("/startupz", include_in_schema=False)
@router.get("/startupz", response_model=Status, responses=_UNWELL)
async def startupz(service: ServiceOf) -> JSONResponse:
    """Started: the weights are loaded. Until then a slow start is no fault, after it the other two probes count."""
    loading = service.lifecycle.phase is Phase.LOADING
    return JSONResponse({"status": Phase.LOADING.value if loading else "started"}, 503 if loading else 200)


@router.head("/livez", include_in_schema=False)
@router.get("/livez", response_model=Status, responses=_UNWELL)
async def livez(service: ServiceOf) -> JSONResponse:
    """Fails when only a restart can help."""
    reason = broken(service)
    return JSONResponse({"status": reason or "alive"}, 503 if reason else 200)


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", response_model=Status, responses=_UNWELL)
async def readyz(service: ServiceOf) -> JSONResponse:
    """Ready: the model answered a first forward pass, memory is well, and the process is not ending."""
    reason = await not_ready(service)
    return JSONResponse({"status": reason or "ready"}, 503 if reason else 200)


async def not_ready(service: Service) -> str | None:
    if service.lifecycle.phase is not Phase.SERVING:
        return str(service.lifecycle.phase.value)
    if service.engine is not None and not await service.engine.proves_itself():
        return "out of memory, and a sequence of the smallest tier does not fit any more"
    if _starved_seconds(service) > _STARVED_SECONDS:
        return "out of memory: a few words cannot be read any more, though nothing runs"
    return broken(service)


def _starved_seconds(service: Service) -> float:
    return 0.0 if service.scheduler is None else service.scheduler.starved_seconds()


def broken(service: Service) -> str | None:
    if service.engine is None:
        return None
    if (busy := service.engine.busy_seconds()) > _STUCK_SECONDS:
        return f"one batch has been running for {busy:.0f} s"
    if (suspect := service.engine.suspect_seconds()) > _BROKEN_SECONDS:
        return f"memory has not come back for {suspect:.0f} s"
    if (starved := _starved_seconds(service)) > _BROKEN_SECONDS:
        return f"no memory has come back to read a text for {starved:.0f} s"
    return None
