"""POST /embed, in the shapes of text-embeddings-inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from plimsoll_server.api.asking import ask, require_task
from plimsoll_server.api.direct_route import DirectRoute
from plimsoll_server.api.documentation import answers as answers_with
from plimsoll_server.api.error_shapes import TEXT_EMBEDDINGS
from plimsoll_server.api.inputs import (
    AT_FIRST_ERROR,
    MAX_INPUTS,
    Dimensions,
    NotServed,
    Off,
    On,
    Text,
    TruncationDirection,
)
from plimsoll_server.api.large_answers import AnswersResponse, made_of
from plimsoll_server.api.patience import Patience
from plimsoll_server.api.reading import reading_headers
from plimsoll_server.api.state import service_of
from plimsoll_server.api.vectors import Vector, normalised
from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.options import Options

router = APIRouter(tags=["text-embeddings-inference"], route_class=DirectRoute)


class EmbedFields(BaseModel):
    """What may be said of how to embed. What is not served must be absent or null: nothing is left out in silence."""

    model_config = ConfigDict(strict=True)

    normalize: Annotated[On, Field(description="Vectors of length 1.")] = True
    truncate: Annotated[
        Off,
        Field(
            description="Cut a text in the place of refusing it; what the policy for long input reads whole stays "
            "whole. The header X-Plimsoll-Truncated-Tokens says how much was left out."
        ),
    ] = False
    truncation_direction: TruncationDirection = None
    dimensions: Dimensions = None
    prompt_name: Annotated[None, NotServed("put the prompt before the text")] = None


class EmbedRequest(EmbedFields):
    inputs: Annotated[
        Text | Annotated[list[Text], Field(min_length=1, max_length=MAX_INPUTS), AT_FIRST_ERROR],
        Field(description="One text, or a list of them.", examples=["What is a load line?"]),
    ]


@router.post(
    "/embed",
    response_model=list[list[float]],
    responses=answers_with([[0.6, -0.8]], TEXT_EMBEDDINGS),
)
async def embed(body: EmbedRequest, request: Request, patience: Patience = None) -> JSONResponse:
    """A list of vectors, also for one text. A long text's is the mean over its chunks, weighted by their new tokens."""
    scheduler = service_of(request).working()
    require_task(scheduler, "feature-extraction")
    texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
    answers = await ask(request, scheduler, texts, Options(truncate=bool(body.truncate), timeout_seconds=patience))
    headers = reading_headers(request, answers)

    def made() -> JSONResponse:
        return AnswersResponse(vectors_of(answers, body), headers=headers)

    return await made_of(answers, scheduler, made)


def vectors_of(answers: Sequence[Answer], asked: EmbedFields) -> list[Vector]:
    return [normalised(answer.embedding) if asked.normalize else answer.embedding for answer in answers]
