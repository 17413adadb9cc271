"""What the application does with an error: find out which problem it is, note it for the metrics, write it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from plimsoll_server.api.disconnect import ClientGoneError
from plimsoll_server.api.error_shapes import Shape, error_response
from plimsoll_server.api.problems import (
    BACKEND,
    BODY_TOO_LARGE,
    INVALID,
    NOT_FOUND,
    NOT_JSON,
    NOT_SERVING,
    OVERLOADED,
    PROBLEMS,
    TIMEOUT,
    WRONG_METHOD,
    Problem,
)
from plimsoll_server.scheduler.errors import RequestError

CLIENT_GONE = 499

_DECLARED = {
    NOT_JSON: "The body is not JSON",
    BODY_TOO_LARGE: "The body is too large, or the text too long for the policy",
    INVALID: "A field is missing, of a wrong type, empty, or not served",
    OVERLOADED: "No place in the queue, or too many requests; see Retry-After",
    BACKEND: "The model failed, or its output is not finite",
    NOT_SERVING: "Out of memory, or still loading; see Retry-After",
    TIMEOUT: "No answer in time",
}


def error_responses(shape: Shape) -> dict[int | str, dict[str, Any]]:
    """What the documentation says of the errors of a protocol, by status."""
    texts: dict[int | str, list[str]] = {}
    for problem, text in _DECLARED.items():
        texts.setdefault(shape.status(problem), []).append(text)
    return {status: {"model": shape.model, "description": ". ".join(said)} for status, said in texts.items()}


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(RequestError, _request_error)
    app.add_exception_handler(ClientGoneError, _client_gone)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)


async def _request_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestError)
    problem = PROBLEMS[type(error)]
    request.state.tier = error.tier
    request.state.problem = problem
    request.state.of_batch = error.of_batch
    message = str(error)
    if error.tier and f"tier {error.tier}" not in message:
        message += f" (tier {error.tier})"
    return error_response(request.url.path, problem, message, retry_after=error.retry_after)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    """Says where and what, never what was sent: a body is nobody's business in a log or an error."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "syntax error")
        return _refused(request, NOT_JSON, f"the body is not JSON: {reason} at character {first['loc'][-1]}")
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    message = f"{place or 'body'}: {str(first['msg']).removeprefix('Value error, ')}"
    if not request.headers.get("content-type", "").startswith("application/json"):
        message += "; send Content-Type: application/json"
    return _refused(request, INVALID, message, param=place or None)


async def _client_gone(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Nobody reads this; the status is what proxies log for it."""
    return Response(status_code=CLIENT_GONE)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _refused(request, NOT_FOUND, f"no such path: {request.url.path}; see /docs")
    if error.status_code == 405:
        refused = _refused(request, WRONG_METHOD, f"{request.url.path} does not answer {request.method}; see /docs")
        refused.headers.update(error.headers or {})
        return refused
    # The framework's own word for a body that its parser gave up on, such as one nested without end.
    return _refused(request, NOT_JSON, f"the body is not JSON: {error.detail}")


async def _unexpected_error(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    return _refused(request, BACKEND, "the server failed on this request; its log says why")


def _refused(request: Request, problem: Problem, message: str, *, param: str | None = None) -> JSONResponse:
    request.state.problem = problem
    return error_response(request.url.path, problem, message, param=param)
