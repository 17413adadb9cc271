"""POST /pooling, in vLLM's shapes: for each input what the model gives after pooling, an embedding or probabilities."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from plimsoll_server.api.asking import ask, require_task
from plimsoll_server.api.direct_route import DirectRoute
from plimsoll_server.api.documentation import answers as answers_with
from plimsoll_server.api.error_shapes import VLLM
from plimsoll_server.api.inputs import Dimensions, each_of
from plimsoll_server.api.large_answers import AnswersResponse, made_of
from plimsoll_server.api.patience import Patience
from plimsoll_server.api.reading import reading_headers
from plimsoll_server.api.state import service_of
from plimsoll_server.api.vectors import Vector, base64_of, normalised
from plimsoll_server.api.vllm_shapes import Usage, VllmRequest, envelope
from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.errors import InvalidInputError
from plimsoll_server.scheduler.options import Options

router = APIRouter(tags=["vLLM"], route_class=DirectRoute)

_TASKS = {"feature-extraction": "embed", "text-classification": "classify"}
"""vLLM's names for what our models do."""


class PoolingRequest(VllmRequest):
    task: Annotated[Literal["embed", "classify"] | None, Field(description="The model's own, or none.")] = None
    encoding_format: Annotated[
        Literal["float", "base64"] | None, Field(description="base64: of little-endian 32-bit floats.")
    ] = "float"
    embed_dtype: Literal["float32"] | None = None
    endianness: Literal["little", "native"] | None = None
    dimensions: Dimensions = None


class Pooled(BaseModel):
    index: int
    object: Literal["pooling"]
    data: list[float] | str


class PoolingResponse(BaseModel):
    id: str
    object: Literal["list"]
    created: int
    model: str
    data: list[Pooled]
    usage: Usage


_EXAMPLE = {
    "id": "pool-9e1f0c3a5c7b4d2e8f6a1b0c9d8e7f6a",
    "object": "list",
    "created": 1767225600,
    "model": "domains",
    "data": [{"index": 0, "object": "pooling", "data": [0.6, -0.8]}],
    "usage": {"prompt_tokens": 4, "total_tokens": 4, "truncated_tokens": 0},
}


@router.post("/pooling", response_model=PoolingResponse, responses=answers_with(_EXAMPLE, VLLM, named=True))
async def pooling(body: PoolingRequest, request: Request, patience: Patience = None) -> JSONResponse:
    """An embedding at length 1 for feature-extraction, the probabilities of all labels for text-classification."""
    service = service_of(request)
    scheduler = service.working()
    service.require_model(body.model)
    require_task(scheduler, *_TASKS)
    own = _TASKS[scheduler.info.task]
    if body.task not in (None, own):
        raise InvalidInputError(f"task: the model here does {own}; ask for that, or for none")
    options = Options(truncate=body.truncate, raw=body.raw, timeout_seconds=patience)
    answers = await ask(request, scheduler, each_of(body.input), options)
    headers = reading_headers(request, answers)

    def made() -> JSONResponse:
        data = [_encode(index, answer, body) for index, answer in enumerate(answers)]
        content = envelope("pool", body.request_id, service.model_name, data, answers)
        return AnswersResponse(content, headers=headers)

    return await made_of(answers, scheduler, made)


def _encode(index: int, answer: Answer, body: PoolingRequest) -> dict[str, Any]:
    values: Vector = answer.scores
    if answer.embedding:
        values = answer.embedding if body.raw else normalised(answer.embedding)
    data = base64_of(values) if body.encoding_format == "base64" else values
    return {"index": index, "object": "pooling", "data": data}
