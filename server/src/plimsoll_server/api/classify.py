"""POST /classify, in vLLM's shapes: for each input its label and the probabilities of all of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from plimsoll_server.api.asking import ask, require_task
from plimsoll_server.api.direct_route import DirectRoute
from plimsoll_server.api.documentation import answers as answers_with
from plimsoll_server.api.error_shapes import VLLM
from plimsoll_server.api.inputs import each_of
from plimsoll_server.api.large_answers import AnswersResponse, made_of
from plimsoll_server.api.patience import Patience
from plimsoll_server.api.reading import reading_headers
from plimsoll_server.api.state import service_of
from plimsoll_server.api.uncertain import Told, uncertainty_of
from plimsoll_server.api.vllm_shapes import Usage, VllmRequest, envelope
from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.options import Options

router = APIRouter(tags=["vLLM"], route_class=DirectRoute)


class Classification(BaseModel):
    index: int
    label: str
    probs: Annotated[list[float], Field(description="In the order of the model's labels, see /info.")]
    num_classes: int
    uncertainty: Told = None


class ClassifyResponse(BaseModel):
    id: str
    object: Literal["list"]
    created: int
    model: str
    data: list[Classification]
    usage: Usage


_EXAMPLE = {
    "id": "classify-9e1f0c3a5c7b4d2e8f6a1b0c9d8e7f6a",
    "object": "list",
    "created": 1767225600,
    "model": "domains",
    "data": [{"index": 0, "label": "sea", "probs": [0.9, 0.1], "num_classes": 2}],
    "usage": {"prompt_tokens": 4, "total_tokens": 4, "truncated_tokens": 0},
}


@router.post("/classify", response_model=ClassifyResponse, responses=answers_with(_EXAMPLE, VLLM, named=True))
async def classify(body: VllmRequest, request: Request, patience: Patience = None) -> JSONResponse:
    """The label is the one with the highest probability."""
    service = service_of(request)
    scheduler = service.working()
    service.require_model(body.model)
    require_task(scheduler, "text-classification")
    options = Options(truncate=body.truncate, raw=body.raw, timeout_seconds=patience)
    answers = await ask(request, scheduler, each_of(body.input), options)
    headers = reading_headers(request, answers)

    def made() -> JSONResponse:
        data = [_encode(index, answer, scheduler.info.labels) for index, answer in enumerate(answers)]
        content = envelope("classify", body.request_id, service.model_name, data, answers)
        return AnswersResponse(content, headers=headers)

    return await made_of(answers, scheduler, made)


def _encode(index: int, answer: Answer, labels: tuple[str, ...]) -> dict[str, Any]:
    best = answer.scores.index(max(answer.scores))
    told = {"index": index, "label": labels[best], "probs": answer.scores, "num_classes": len(labels)}
    return told | uncertainty_of(answer)
