"""Errors as text-embeddings-inference writes them: {"error": what and what to do, "error_type": which kind}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from plimsoll_server.api.disconnect import ClientGoneError
from plimsoll_server.scheduler.errors import (
    DeadlineError,
    InvalidInputError,
    ModelFaultError,
    NonFiniteError,
    NotServingError,
    OutOfMemoryError,
    OverloadedError,
    RequestError,
    TooLongError,
)

VALIDATION = "Validation"
CLIENT_GONE = 499
OUT_OF_MEMORY = "OutOfMemory"

_ANSWERS: Mapping[type[RequestError], tuple[int, str]] = {
    InvalidInputError: (422, VALIDATION),
    TooLongError: (413, VALIDATION),
    OverloadedError: (429, "Overloaded"),
    OutOfMemoryError: (503, OUT_OF_MEMORY),
    NotServingError: (503, "Unhealthy"),
    DeadlineError: (504, "Timeout"),
    NonFiniteError: (500, "NonFinite"),
    ModelFaultError: (500, "Backend"),
}


class ErrorBody(BaseModel):
    error: str
    error_type: str


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "The body is not JSON"},
    413: {"model": ErrorBody, "description": "The body is too large, or the text too long for the policy"},
    422: {"model": ErrorBody, "description": "A field is missing, of a wrong type, or empty"},
    429: {"model": ErrorBody, "description": "No place in the queue; see Retry-After"},
    500: {"model": ErrorBody, "description": "The model failed, or its output is not finite"},
    503: {"model": ErrorBody, "description": "Out of memory, or still loading; see Retry-After"},
    504: {"model": ErrorBody, "description": "No answer in time"},
}


def error_response(status: int, message: str, kind: str, retry_after: int | None = None) -> JSONResponse:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse({"error": message, "error_type": kind}, status, headers)


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(RequestError, _request_error)
    app.add_exception_handler(ClientGoneError, _client_gone)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)


async def _request_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestError)
    status, kind = _ANSWERS[type(error)]
    request.state.tier = error.tier
    request.state.error_type = kind
    request.state.of_batch = error.of_batch
    return error_response(status, str(error), kind, error.retry_after)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    """Says where and what, never what was sent: a body is nobody's business in a log or an error."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "syntax error")
        return error_response(400, f"the body is not JSON: {reason} at character {first['loc'][-1]}", VALIDATION)
    place = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
    message = f"{place}: {str(first['msg']).removeprefix('Value error, ')}"
    if not request.headers.get("content-type", "").startswith("application/json"):
        message += "; send Content-Type: application/json"
    return error_response(422, message, VALIDATION)


async def _client_gone(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Nobody reads this; the status is what proxies log for it."""
    return Response(status_code=CLIENT_GONE)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return error_response(404, f"no such path: {request.url.path}; see /docs", "NotFound")
    if error.status_code == 400:
        # The framework's own word for a body that its parser gave up on, such as one nested without end.
        return error_response(400, f"the body is not JSON: {error.detail}", VALIDATION)
    return error_response(error.status_code, str(error.detail), VALIDATION)


async def _unexpected_error(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    return error_response(500, "the server failed on this request; its log says why", "Backend")
