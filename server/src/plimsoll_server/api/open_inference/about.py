"""GET /v2 and what is under it: whether server and model are well, and what they are."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from plimsoll_server.api.documentation import tells
from plimsoll_server.api.error_shapes import OPEN_INFERENCE
from plimsoll_server.api.health import broken, not_ready
from plimsoll_server.api.open_inference.outputs import described
from plimsoll_server.api.state import SchedulerOf, ServiceOf

router = APIRouter(tags=["Open Inference Protocol"])


class Live(BaseModel):
    live: bool


class Ready(BaseModel):
    ready: bool


class ModelReady(Ready):
    name: str


class ServerMetadata(BaseModel):
    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


_UNWELL: dict[int | str, dict[str, Any]] = {503: {"description": "It is not"}}
_SERVER = {"name": "plimsoll", "version": "0.1.0", "extensions": ["binary_tensor_data"]}
_TEXT = {"name": "text", "datatype": "BYTES", "shape": [-1]}
_MODEL = {
    "name": "domains",
    "versions": ["1"],
    "platform": "plimsoll_modernbert",
    "inputs": [_TEXT],
    "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, 2]}],
}


@router.get("/v2/health/live", response_model=Live, responses=_UNWELL)
async def live(service: ServiceOf) -> JSONResponse:
    well = broken(service) is None
    return JSONResponse({"live": well}, 200 if well else 503)


@router.get("/v2/health/ready", response_model=Ready, responses=_UNWELL)
async def ready(service: ServiceOf) -> JSONResponse:
    well = await not_ready(service) is None
    return JSONResponse({"ready": well}, 200 if well else 503)


@router.get(
    "/v2", response_model=ServerMetadata, responses={200: {"content": {"application/json": {"example": _SERVER}}}}
)
async def server() -> dict[str, Any]:
    return {**_SERVER, "version": version("plimsoll-server")}


@router.get("/v2/models/{name}", response_model=ModelMetadata, responses=tells(_MODEL, OPEN_INFERENCE, named=True))
async def model(name: str, service: ServiceOf, scheduler: SchedulerOf) -> dict[str, Any]:
    """`input_ids` (INT64, [n, m]) and `attention_mask` are read in the place of `text` as well."""
    service.require_model(name)
    return {
        "name": service.model_name,
        "versions": [service.model_version],
        "platform": f"plimsoll_{scheduler.info.family}",
        "inputs": [_TEXT],
        "outputs": described(scheduler.info),
    }


@router.get(
    "/v2/models/{name}/versions/{version}",
    response_model=ModelMetadata,
    responses=tells(_MODEL, OPEN_INFERENCE, named=True),
)
async def model_version(name: str, version: str, service: ServiceOf, scheduler: SchedulerOf) -> dict[str, Any]:
    service.require_version(version)
    return await model(name, service, scheduler)


@router.get(
    "/v2/models/{name}/ready",
    response_model=ModelReady,
    responses={**tells({"name": "domains", "ready": True}, OPEN_INFERENCE, named=True), **_UNWELL},
)
async def model_ready(name: str, service: ServiceOf) -> JSONResponse:
    service.require_model(name)
    well = await not_ready(service) is None
    return JSONResponse({"name": service.model_name, "ready": well}, 200 if well else 503)


@router.get(
    "/v2/models/{name}/versions/{version}/ready",
    response_model=ModelReady,
    responses={**tells({"name": "domains", "ready": True}, OPEN_INFERENCE, named=True), **_UNWELL},
)
async def model_version_ready(name: str, version: str, service: ServiceOf) -> JSONResponse:
    service.require_version(version)
    return await model_ready(name, service)
