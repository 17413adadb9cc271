"""POST /infer: ready-made token ids in, the score of the top class out."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from plimsoll_server.api.asking import require_task
from plimsoll_server.api.direct_route import DirectRoute
from plimsoll_server.api.disconnect import while_connected
from plimsoll_server.api.documentation import answers as answers_with
from plimsoll_server.api.error_shapes import TEXT_EMBEDDINGS
from plimsoll_server.api.inputs import AT_FIRST_ERROR, MAX_INPUTS, TokenIds
from plimsoll_server.api.patience import Patience
from plimsoll_server.api.reading import reading_headers
from plimsoll_server.api.state import service_of
from plimsoll_server.api.uncertain import Uncertain, uncertainty_of
from plimsoll_server.scheduler.lanes import MAX_BATCH
from plimsoll_server.scheduler.options import Options

router = APIRouter(tags=["infer"], route_class=DirectRoute)


class InferRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    tokens: Annotated[
        TokenIds | Annotated[list[TokenIds], Field(min_length=1, max_length=MAX_INPUTS), AT_FIRST_ERROR],
        Field(description="One list of token ids or several, with their special tokens.", examples=[[1, 17, 4, 2]]),
    ]
    batch_size: (
        Annotated[int, Field(ge=1, le=MAX_BATCH, description="How many of the sequences may run together.")] | None
    ) = MAX_BATCH


class InferResponse(BaseModel):
    predictions: Annotated[list[float], Field(description="For each sequence, the score of its top class.")]
    latency_ms: float
    uncertainty: Annotated[
        list[Uncertain] | None, Field(description="For each sequence, of a model that tells it; else absent.")
    ] = None


@router.post(
    "/infer",
    response_model=InferResponse,
    responses=answers_with({"predictions": [0.9], "latency_ms": 2.5}, TEXT_EMBEDDINGS),
)
async def infer(body: InferRequest, request: Request, patience: Patience = None) -> JSONResponse:
    """One number per sequence: for text-classification only."""
    scheduler = service_of(request).working()
    require_task(scheduler, "text-classification")
    started = time.perf_counter()
    options = Options(timeout_seconds=patience)
    sequences = [body.tokens] if isinstance(body.tokens[0], int) else body.tokens
    at_once = body.batch_size or MAX_BATCH
    answers = await while_connected(request, scheduler.answer_tokens(sequences, options, at_once=at_once))
    latency_ms = (time.perf_counter() - started) * 1000
    predictions = [max(answer.scores) for answer in answers]
    uncertainty = [told for answer in answers for told in uncertainty_of(answer).values()]
    content = {"predictions": predictions, "latency_ms": latency_ms}
    return JSONResponse(
        content | ({"uncertainty": uncertainty} if uncertainty else {}), headers=reading_headers(request, answers)
    )
