"""POST /, in the shapes of the Hugging Face hub's pipelines: what InferenceClient asks for when it is given the address
of a server instead of the name of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from plimsoll_server.api.asking import ask
from plimsoll_server.api.direct_route import DirectRoute
from plimsoll_server.api.documentation import answers as answers_with
from plimsoll_server.api.embed import EmbedRequest, vectors_of
from plimsoll_server.api.error_shapes import TEXT_EMBEDDINGS
from plimsoll_server.api.inputs import AT_FIRST_ERROR
from plimsoll_server.api.large_answers import AnswersResponse, made_of
from plimsoll_server.api.patience import Patience
from plimsoll_server.api.predict import LabelScore, ranked
from plimsoll_server.api.reading import reading_headers
from plimsoll_server.api.state import service_of
from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.errors import InvalidInputError
from plimsoll_server.scheduler.options import Options
from plimsoll_server.types import Activation, ModelInfo

router = APIRouter(tags=["hugging face pipelines"], route_class=DirectRoute)


class PipelineParameters(BaseModel):
    """Each may be given to any task, and counts where it means something. Any other is refused."""

    model_config = ConfigDict(strict=True, extra="forbid")

    function_to_apply: Annotated[
        Literal["sigmoid", "softmax", "none"] | None,
        Field(description="The one that the model was trained with, or none for its logits."),
    ] = None
    top_k: (
        Annotated[int, Field(ge=1, le=1 << 31, description="So many of the labels, the most likely first.")] | None
    ) = None
    aggregation_strategy: Annotated[
        Literal["simple"] | None, Field(description="How tokens become entities: begin and inside tags are merged.")
    ] = None
    ignore_labels: (
        Annotated[list[str], Field(max_length=1024, description="Entities that are left out."), AT_FIRST_ERROR] | None
    ) = None


class PipelineRequest(EmbedRequest):
    parameters: PipelineParameters | None = None


class EntityGroup(BaseModel):
    entity_group: str
    score: float
    word: Annotated[str, Field(description="The characters from start to end.")]
    start: int
    end: int


PipelineResponse = list[list[LabelScore]] | list[EntityGroup] | list[list[EntityGroup]] | list[list[float]]


@router.post(
    "/",
    response_model=PipelineResponse,
    responses=answers_with([[{"label": "sea", "score": 0.9}, {"label": "land", "score": 0.1}]], TEXT_EMBEDDINGS),
)
async def pipeline(body: PipelineRequest, request: Request, patience: Patience = None) -> JSONResponse:
    """By the model's task: a list of labels per text, entities, or vectors."""
    scheduler = service_of(request).working()
    options = Options(
        truncate=bool(body.truncate), raw=_wants_logits(scheduler.info, body.parameters), timeout_seconds=patience
    )
    texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
    answers = await ask(request, scheduler, texts, options)
    headers = reading_headers(request, answers)

    def made() -> JSONResponse:
        return AnswersResponse(_content(body, texts, answers, scheduler.info), headers=headers)

    return await made_of(answers, scheduler, made)


def _content(
    body: PipelineRequest, texts: Sequence[str], answers: Sequence[Answer], info: ModelInfo
) -> Sequence[object]:
    parameters = body.parameters or PipelineParameters()
    match info.task:
        case "text-classification":
            return [_labels(answer, info, parameters) for answer in answers]
        case "feature-extraction":
            return vectors_of(answers, body)
    entities = [_entities(answer, text, parameters) for answer, text in zip(answers, texts, strict=True)]
    return entities[0] if isinstance(body.inputs, str) else entities


def _wants_logits(info: ModelInfo, parameters: PipelineParameters | None) -> bool:
    asked = parameters.function_to_apply if parameters else None
    if asked not in (None, "none", info.activation.value):
        by = "are its plain numbers" if info.activation is Activation.NONE else f"are by {info.activation.value}"
        raise InvalidInputError(f"function_to_apply: this model's scores {by}; ask for none")
    return asked == "none"


def _labels(answer: Answer, info: ModelInfo, parameters: PipelineParameters) -> list[dict[str, Any]]:
    return ranked(answer.scores, info.labels)[: parameters.top_k]


def _entities(answer: Answer, text: str, parameters: PipelineParameters) -> list[dict[str, Any]]:
    return [
        {
            "entity_group": entity.label,
            "score": entity.score,
            "word": text[entity.start : entity.end],
            "start": entity.start,
            "end": entity.end,
        }
        for entity in answer.entities
        if entity.label not in (parameters.ignore_labels or ())
    ]
