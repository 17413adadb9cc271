"""How each protocol writes an error: one table, by the first part of the path, so that what is refused before any route
is chosen is refused in its caller's own shape too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from plimsoll_server.api.problems import INVALID, TOO_LONG, Problem


class TextEmbeddingsError(BaseModel):
    """text-embeddings-inference's: what and what to do, and which kind."""

    error: str
    error_type: str


class OpenAIErrorDetail(BaseModel):
    message: str
    type: str
    param: str | None
    code: str


class OpenAIError(BaseModel):
    error: OpenAIErrorDetail


class VllmErrorDetail(BaseModel):
    message: str
    type: str
    param: str | None
    code: int
    """The status, once more."""


class VllmError(BaseModel):
    error: VllmErrorDetail


class OpenInferenceError(BaseModel):
    error: str


Write = Callable[[Problem, int, str, str | None], dict[str, Any]]
"""(problem, status, message, the field concerned) to a body."""


@dataclass(frozen=True, slots=True)
class Shape:
    model: type[BaseModel]
    write: Write
    bad_requests: frozenset[Problem] = frozenset()
    """What this protocol answers by 400, where others have a status of its own."""
    cut: str | None = None
    """What allows that a text is cut, in this protocol's own words."""

    def status(self, problem: Problem) -> int:
        return 400 if problem in self.bad_requests else problem.status


def _text_embeddings(problem: Problem, status: int, message: str, param: str | None) -> dict[str, Any]:  # noqa: ARG001
    return {"error": message, "error_type": problem.kind}


_OPENAI_TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


def _openai(problem: Problem, status: int, message: str, param: str | None) -> dict[str, Any]:
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": problem.code}}


_VLLM_TYPES = {400: "BadRequestError", 404: "NotFoundError", 500: "InternalServerError"}


def _vllm(problem: Problem, status: int, message: str, param: str | None) -> dict[str, Any]:  # noqa: ARG001
    kind = _VLLM_TYPES.get(status) or HTTPStatus(status).phrase
    return {"error": {"message": message, "type": kind, "param": param, "code": status}}


def _open_inference(problem: Problem, status: int, message: str, param: str | None) -> dict[str, Any]:  # noqa: ARG001
    return {"error": message}


_BAD_REQUESTS = frozenset({INVALID, TOO_LONG})

TEXT_EMBEDDINGS = Shape(TextEmbeddingsError, _text_embeddings, cut="truncate: true")
TOKEN_IDS = Shape(TextEmbeddingsError, _text_embeddings)
OPENAI = Shape(OpenAIError, _openai, _BAD_REQUESTS, cut="truncate_prompt_tokens: -1")
VLLM = Shape(VllmError, _vllm, _BAD_REQUESTS, cut="truncate_prompt_tokens: -1")
OPEN_INFERENCE = Shape(OpenInferenceError, _open_inference, _BAD_REQUESTS, cut="truncate: true in parameters")

_SHAPES: Mapping[str, Shape] = {
    "infer": TOKEN_IDS,
    "v1": OPENAI,
    "classify": VLLM,
    "pooling": VLLM,
    "v2": OPEN_INFERENCE,
}
"""By the first part of the path. Every other path has text-embeddings-inference's shape."""


def shape_of(path: str) -> Shape:
    return _SHAPES.get(path.lstrip("/").partition("/")[0], TEXT_EMBEDDINGS)


def error_response(
    path: str, problem: Problem, message: str, *, retry_after: int | None = None, param: str | None = None
) -> JSONResponse:
    """The error as callers of `path` expect it. `retry_after`: seconds. `param`: the field concerned."""
    shape = shape_of(path)
    status = shape.status(problem)
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse(shape.write(problem, status, message, param), status, headers)
