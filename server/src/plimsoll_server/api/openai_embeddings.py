"""POST /v1/embeddings and GET /v1/models, in OpenAI's shapes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from plimsoll_server.api.asking import ask, require_task
from plimsoll_server.api.direct_route import DirectRoute
from plimsoll_server.api.documentation import answers as answers_with
from plimsoll_server.api.documentation import tells
from plimsoll_server.api.error_shapes import OPENAI
from plimsoll_server.api.inputs import Dimensions, NotServed, TextOrTokens, each_of
from plimsoll_server.api.large_answers import AnswersResponse, made_of
from plimsoll_server.api.patience import Patience
from plimsoll_server.api.reading import reading_headers
from plimsoll_server.api.state import SchedulerOf, Service, ServiceOf, service_of
from plimsoll_server.api.vectors import base64_of, normalised
from plimsoll_server.api.vllm_shapes import Cut, ModelName, TruncationSide, Usage, usage_of
from plimsoll_server.scheduler.options import Options
from plimsoll_server.scheduler.scheduler import Scheduler

router = APIRouter(tags=["OpenAI"], route_class=DirectRoute)

_NO_CUT = NotServed("truncate_prompt_tokens: -1 allows a cut, at the end")


class EmbeddingsRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    input: Annotated[
        TextOrTokens,
        Field(description="A text or several, or token ids or several lists of them.", examples=["the tides"]),
    ]
    model: Annotated[ModelName | None, Field(description="Its name here, see /v1/models, or none.")] = None
    encoding_format: Annotated[
        Literal["float", "base64"] | None, Field(description="base64: of little-endian 32-bit floats.")
    ] = "float"
    dimensions: Dimensions = None
    truncate_prompt_tokens: Cut = None
    truncate: Annotated[None, _NO_CUT] = None
    truncation_side: TruncationSide = None
    input_type: Annotated[None, NotServed("put what the model wants before a query or a passage into the text")] = None
    user: Annotated[str | None, Field(description="Not used.")] = None


class EmbeddingEntry(BaseModel):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsResponse(BaseModel):
    object: Literal["list"]
    data: list[EmbeddingEntry]
    model: str
    usage: Usage


class ModelCard(BaseModel):
    id: Annotated[str, Field(description="The deployment's name, or the last part of the model's location.")]
    object: Literal["model"]
    created: Annotated[int, Field(description="When this server was started, in Unix seconds.")]
    owned_by: str
    root: Annotated[str, Field(description="Where the model was loaded from: a name for it as well.")]
    max_model_len: Annotated[int, Field(description="Tokens that run in one pass here.")]


class ModelList(BaseModel):
    object: Literal["list"]
    data: list[ModelCard]


_CARD = {
    "id": "domains",
    "object": "model",
    "created": 1767225600,
    "owned_by": "plimsoll",
    "root": "/models/domains",
    "max_model_len": 8192,
}
_EMBEDDINGS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.6, -0.8]}],
    "model": "domains",
    "usage": {"prompt_tokens": 4, "total_tokens": 4, "truncated_tokens": 0},
}


@router.post(
    "/v1/embeddings", response_model=EmbeddingsResponse, responses=answers_with(_EMBEDDINGS, OPENAI, named=True)
)
async def embeddings(body: EmbeddingsRequest, request: Request, patience: Patience = None) -> JSONResponse:
    """Vectors of length 1. A text that is too long for one pass follows the server's policy for long input."""
    service = service_of(request)
    scheduler = service.working()
    service.require_model(body.model)
    require_task(scheduler, "feature-extraction")
    options = Options(truncate=body.truncate_prompt_tokens is not None, timeout_seconds=patience)
    answers = await ask(request, scheduler, each_of(body.input), options)
    encode = base64_of if body.encoding_format == "base64" else list[float]
    headers = reading_headers(request, answers)

    def made() -> JSONResponse:
        content = {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": encode(normalised(answer.embedding))}
                for index, answer in enumerate(answers)
            ],
            "model": service.model_name,
            "usage": usage_of(answers),
        }
        return AnswersResponse(content, headers=headers)

    return await made_of(answers, scheduler, made)


about = APIRouter(tags=["OpenAI"])
"""Apart from the paths that are counted as requests."""


@about.get("/v1/models", response_model=ModelList, responses=tells({"object": "list", "data": [_CARD]}, OPENAI))
async def models(service: ServiceOf, scheduler: SchedulerOf) -> JSONResponse:
    """The one model that is served here, whatever its task."""
    return JSONResponse({"object": "list", "data": [_card(service, scheduler)]})


@about.get("/v1/models/{model:path}", response_model=ModelCard, responses=tells(_CARD, OPENAI, named=True))
async def model_card(model: str, service: ServiceOf, scheduler: SchedulerOf) -> JSONResponse:
    service.require_model(model)
    return JSONResponse(_card(service, scheduler))


def _card(service: Service, scheduler: Scheduler) -> dict[str, Any]:
    return {
        "id": service.model_name,
        "object": "model",
        "created": service.lifecycle.started_at,
        "owned_by": "plimsoll",
        "root": scheduler.info.location,
        "max_model_len": scheduler.longest_pass,
    }
