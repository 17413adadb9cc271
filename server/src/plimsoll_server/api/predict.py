"""POST /predict, in the shapes of text-embeddings-inference: labels with scores, or entities with characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator

from plimsoll_server.api.asking import ask, require_task
from plimsoll_server.api.direct_route import DirectRoute
from plimsoll_server.api.documentation import answers as answers_with
from plimsoll_server.api.error_shapes import TEXT_EMBEDDINGS
from plimsoll_server.api.inputs import AT_FIRST_ERROR, MAX_INPUTS, Off, Text, TruncationDirection
from plimsoll_server.api.large_answers import AnswersResponse, made_of
from plimsoll_server.api.patience import Patience
from plimsoll_server.api.reading import reading_headers
from plimsoll_server.api.state import service_of
from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.options import Options
from plimsoll_server.scheduler.scores import Scores

router = APIRouter(tags=["text-embeddings-inference"], route_class=DirectRoute)

Listed = Annotated[
    list[Text], Field(min_length=1, max_length=MAX_INPUTS, json_schema_extra={"maxItems": 1}), AT_FIRST_ERROR
]
"""One text. More are read only to be refused with what to write in their place."""
Inputs = Text | Listed | Annotated[list[Listed], Field(min_length=1, max_length=MAX_INPUTS), AT_FIRST_ERROR]


class PredictRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    inputs: Annotated[
        Inputs,
        Field(
            description="One text, as text or [text], or a batch of them as [[text], …], which is answered by a list "
            "of lists. [text, text] is a pair in text-embeddings-inference; pairs are not served.",
            examples=["What is a load line?"],
        ),
    ]
    raw_scores: Annotated[Off, Field(description="Logits in the place of scores.")] = False
    truncate: Annotated[
        Off,
        Field(
            description="Cut a text in the place of refusing it; what the policy for long input reads whole stays "
            "whole. The header X-Plimsoll-Truncated-Tokens says how much was left out."
        ),
    ] = False
    truncation_direction: TruncationDirection = None

    @field_validator("inputs")
    @classmethod
    def _no_pairs(cls, inputs: Inputs) -> Inputs:
        texts_of(inputs)
        return inputs


class LabelScore(BaseModel):
    label: str
    score: float


class EntityScore(LabelScore):
    start: Annotated[int, Field(description="First character in the text as it was sent.")]
    end: Annotated[int, Field(description="The character after the last.")]


Prediction = list[LabelScore] | list[EntityScore]


_EXAMPLE = [{"label": "sea", "score": 0.9}, {"label": "land", "score": 0.1}]


@router.post(
    "/predict",
    response_model=Prediction | list[Prediction],
    responses=answers_with(_EXAMPLE, TEXT_EMBEDDINGS),
)
async def predict(body: PredictRequest, request: Request, patience: Patience = None) -> JSONResponse:
    """Labels by falling score for text-classification, entities by position for token-classification."""
    scheduler = service_of(request).working()
    require_task(scheduler, "text-classification", "token-classification")
    options = Options(truncate=bool(body.truncate), raw=bool(body.raw_scores), timeout_seconds=patience)
    answers = await ask(request, scheduler, texts_of(body.inputs), options)
    headers = reading_headers(request, answers)

    def made() -> JSONResponse:
        predictions = [_encode(answer, scheduler.info.labels) for answer in answers]
        return AnswersResponse(predictions if isinstance(body.inputs[0], list) else predictions[0], headers=headers)

    return await made_of(answers, scheduler, made)


def texts_of(inputs: Inputs) -> list[str]:
    """As text-embeddings-inference reads them: the innermost list is one input. Raises ValueError for a pair."""
    if isinstance(inputs, str):
        return [inputs]
    if isinstance(inputs[0], str):
        return [_only(inputs)]
    return [_only(entry) for entry in inputs]


def _only(texts: Sequence[str | list[str]]) -> str:
    match texts:
        case [str(text)]:
            return text
    raise ValueError(
        f"expected one text in the innermost list, found {len(texts)}: two are a pair in text-embeddings-inference, "
        "and pairs of texts are not served; send a batch of texts as [[text], [text]]"
    )


def _encode(answer: Answer, labels: tuple[str, ...]) -> list[dict[str, object]]:
    if not answer.scores:
        return [
            {"label": entity.label, "score": entity.score, "start": entity.start, "end": entity.end}
            for entity in answer.entities
        ]
    return ranked(answer.scores, labels)


def ranked(scores: Scores, labels: tuple[str, ...]) -> list[dict[str, object]]:
    """The most likely label first."""
    pairs = sorted(zip(scores, labels, strict=True), key=lambda pair: -pair[0])
    return [{"label": label, "score": score} for score, label in pairs]
