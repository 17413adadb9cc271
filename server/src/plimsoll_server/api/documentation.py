"""What the OpenAPI document says beyond the shapes: headers, errors, examples, and who may ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI

from plimsoll_server.api.error_shapes import Shape
from plimsoll_server.api.problems import (
    BACKEND,
    BODY_TOO_LARGE,
    INVALID,
    JOBS_AWAY,
    NO_SUCH_JOB,
    NO_SUCH_MODEL,
    NOT_FOUND,
    NOT_JSON,
    NOT_SERVING,
    OVERLOADED,
    SLOW_BODY,
    TIMEOUT,
    TOO_MANY_JOBS,
    UNAUTHORIZED,
    WRONG_MEDIA,
    Problem,
)

Responses = dict[int | str, dict[str, Any]]

_EACH_INPUT = "One value per input, in order, with a comma between; of more than the headers have room for"
_READING = {
    "X-Plimsoll-Tier": f"The context tier. {_EACH_INPUT}, each tier and how many: short*200,long*56.",
    "X-Plimsoll-Tokens": f"Tokens that were read. {_EACH_INPUT}, total=N.",
    "X-Plimsoll-Chunks": f"Passes that a text took. {_EACH_INPUT}, total=N.",
    "X-Plimsoll-Truncated-Tokens": f"Tokens that were left out. {_EACH_INPUT}, total=N.",
}
_COMES_WITH_RETRY_AFTER = {429, 503, 504}

_ANY = {
    UNAUTHORIZED: "No key, or an unknown one, where keys are asked for",
    OVERLOADED: "No place in the queue, or more requests than the rate allows",
    NOT_SERVING: "Still loading, out of memory, or the model fails again and again",
}
_OF_A_BODY = {
    NOT_JSON: "The body is not JSON",
    SLOW_BODY: "The body did not arrive in time",
    BODY_TOO_LARGE: "The body is too large, or a text too long for the policy",
    WRONG_MEDIA: "The body is compressed",
    INVALID: "A field is missing, of a wrong type, empty, or asks for what is not served",
    BACKEND: "The model failed, or its output is not finite",
    TIMEOUT: "No answer in time",
}
_OF_A_NAME = {NO_SUCH_MODEL: "The model that is named is not the one that is served here"}
_OF_JOBS = {JOBS_AWAY: "The Redis of the jobs does not answer, or no worker does jobs here"}
_NONE_HERE = {NOT_FOUND: "Jobs are not served here"}
_NO_SUCH = {NO_SUCH_JOB: "There is no such job of this caller"}
_TOO_MANY = {TOO_MANY_JOBS: "As many jobs as are kept for one caller"}


def answers(example: Any, shape: Shape, *, named: bool = False) -> Responses:
    """The responses of a path that reads texts. `named`: its requests name a model."""
    problems = {**_ANY, **_OF_A_BODY, **(_OF_A_NAME if named else {})}
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in _READING.items()}
    success = {"description": "One answer per input", "headers": headers, "content": _content(example)}
    return {200: success, **_errors(problems, shape)}


def takes(example: Any, shape: Shape) -> Responses:
    """The responses of a path that takes texts to be answered later."""
    problems = {**_ANY, **_OF_A_BODY, **_OF_JOBS, **_NONE_HERE, **_TOO_MANY}
    headers = {"Location": {"description": "Where to ask for the job", "schema": {"type": "string"}}}
    success = {"description": "Queued", "headers": headers, "content": _content(example)}
    return {202: success, **_errors(problems, shape)}


def looks_up(example: Any, shape: Shape) -> Responses:
    """The responses of a path that tells of a job."""
    return {200: {"content": _content(example)}, **_errors({**_ANY, **_OF_JOBS, **_NONE_HERE, **_NO_SUCH}, shape)}


def tells(example: Any, shape: Shape, *, named: bool = False) -> Responses:
    """The responses of a path that only tells something."""
    return {200: {"content": _content(example)}, **_errors({**_ANY, **(_OF_A_NAME if named else {})}, shape)}


def _content(example: Any) -> dict[str, Any]:
    return {"application/json": {"example": example}}


def _errors(problems: dict[Problem, str], shape: Shape) -> Responses:
    said: dict[int, list[str]] = {}
    for problem, text in problems.items():
        said.setdefault(shape.status(problem), []).append(text)
    return {status: _error(status, texts, shape) for status, texts in sorted(said.items())}


def _error(status: int, texts: Sequence[str], shape: Shape) -> dict[str, Any]:
    described: dict[str, Any] = {"model": shape.model, "description": "; or: ".join(texts)}
    if status in _COMES_WITH_RETRY_AFTER:
        described["headers"] = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
    return described


class Documented(FastAPI):
    """Describes itself without what its framework adds of its own, a 422 that never comes."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = _tidied(super().openapi())
        return self.openapi_schema


def _tidied(schema: dict[str, Any]) -> dict[str, Any]:
    for path in schema["paths"].values():
        for operation in path.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
            _share_definitions(operation, schema["components"]["schemas"])
    components = schema["components"]
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{}, {"key": []}]
    return schema


def _share_definitions(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """A body that is described by hand brings its own definitions; they belong where all others are."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schemas.update(content["schema"].pop("$defs", {}))
