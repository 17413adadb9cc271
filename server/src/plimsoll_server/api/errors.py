"""What the application does with an error: find out which problem it is, note it for the metrics, write it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from plimsoll_server.api.disconnect import ClientGoneError
from plimsoll_server.api.error_shapes import error_response, shape_of
from plimsoll_server.api.inputs import MAX_INPUTS, MAX_JOB_INPUTS
from plimsoll_server.api.problems import (
    BACKEND,
    INVALID,
    NOT_FOUND,
    NOT_JSON,
    PROBLEMS,
    WRONG_METHOD,
    Problem,
)
from plimsoll_server.scheduler.errors import RequestError, TooLongError

CLIENT_GONE = 499

_WRONG_TYPES = frozenset({"string_type", "list_type", "int_type"})
_NO_FIELDS = frozenset({"body", "header", "str", "int", "constrained-str", "constrained-int"})
_LONGEST_NAME = 64
"""Characters of a path or of a field's name that are said again: both are chosen by the caller."""


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
    if isinstance(error, TooLongError) and error.may_be_cut and (cut := shape_of(request.url.path).cut):
        message += f"; or send {cut}, which cuts it"
    if error.tier and f"tier {error.tier}" not in message:
        message += f" (tier {error.tier})"
    return error_response(request.url.path, problem, message, retry_after=error.retry_after)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    """Says where and what, never what was sent: a body is nobody's business in a log or an error."""
    assert isinstance(error, RequestValidationError)
    first, *others = _most_telling(error.errors())
    if first["type"] == "json_invalid":
        return _refused(request, NOT_JSON, f"the body is not JSON: {first['ctx']['error']}")
    place = _place(first["loc"])
    reasons = dict.fromkeys(_reason(one) for one in (first, *others))
    message = f"{place or 'body'}: {', or: '.join(reasons)}"
    return _refused(request, INVALID, message, param=place or None)


def _most_telling(errors: Sequence[Any]) -> list[Any]:
    """Where a field may have several types, each type complains. The one that got furthest knows best, with those that
    got as far to the same place."""

    def telling(error: Any) -> tuple[bool, int, tuple[int, ...]]:
        location = error["loc"]
        return error["type"] in _WRONG_TYPES, -len(location), tuple(-part for part in location if isinstance(part, int))

    first = min(errors, key=telling)
    return [one for one in errors if telling(one) == telling(first) and _place(one["loc"]) == _place(first["loc"])]


def _place(location: Sequence[str | int]) -> str:
    """As the caller wrote it: without the names of types, which stand there too."""
    parts = [part for part in map(str, location) if part not in _NO_FIELDS and "[" not in part]
    return _cut(".".join(parts))


def _reason(error: Any) -> str:
    match error["type"]:
        case "extra_forbidden":
            return "not served here; leave it out"
        case "too_long":
            said = error["ctx"]
            found = f"{said['actual_length']} entries, at most {said['max_length']}"
            # Of the inputs; what else is a list says how to read them.
            whole = {MAX_INPUTS: "request", MAX_JOB_INPUTS: "job"}.get(said["max_length"])
            return f"{found} go into one {whole}; send several" if whole else f"{found} are read"
        case "too_short":
            return "the list is empty; send at least one entry"
        case "string_too_short":
            return "the text is empty; send a text with at least one word"
    return str(error["msg"]).removeprefix("Value error, ")


def _cut(said: str) -> str:
    return said if len(said) <= _LONGEST_NAME else said[:_LONGEST_NAME] + "…"


async def _client_gone(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Nobody reads this; the status is what proxies log for it."""
    return Response(status_code=CLIENT_GONE)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _refused(request, NOT_FOUND, f"no such path: {_cut(request.url.path)}; see /docs")
    if error.status_code == 405:
        message = f"{_cut(request.url.path)} does not answer {_cut(request.method)}; see /docs"
        refused = _refused(request, WRONG_METHOD, message)
        refused.headers.update(error.headers or {})
        return refused
    return _refused(request, INVALID, error.detail)


async def _unexpected_error(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    return _refused(request, BACKEND, "the server failed on this request; its log says why")


def _refused(request: Request, problem: Problem, message: str, *, param: str | None = None) -> JSONResponse:
    request.state.problem = problem
    return error_response(request.url.path, problem, message, param=param)
