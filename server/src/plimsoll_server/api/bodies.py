"""Bodies and headers as their types read them: JSON is parsed and checked in one pass of compiled code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request

from plimsoll_server.api.json_bounds import too_much_of
from plimsoll_server.scheduler.errors import OverloadedError

Model = TypeVar("Model", bound=BaseModel)
Value = TypeVar("Value")

_MISSING = {"type": "missing", "loc": ("body",), "msg": "Field required"}
_NOT_DECLARED_JSON = {
    "type": "not_json",
    "loc": ("body",),
    "msg": "JSON is read and nothing else; send Content-Type: application/json",
}


def read_json(model: type[Model], body: bytes) -> Model:
    """Raises RequestValidationError, or OverloadedError where there is no memory for what the body says. Types that it
    reads end at their first error: each one more costs memory."""
    if not body:
        raise RequestValidationError([_MISSING])
    if (too_much := too_much_of(body)) is not None:
        raise RequestValidationError([{"type": "too_much", "loc": ("body",), "msg": too_much}])
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False, include_url=False)) from None
    except BaseException as error:
        # Pydantic's core panics where Python has no memory for an object, and that is no Exception.
        if not (isinstance(error, MemoryError) or type(error).__name__ == "PanicException"):
            raise
        raise OverloadedError("too little memory is left to read the request; try again", retry_after=5) from None


def read_header(reader: TypeAdapter[Value | None], request: Request, name: str) -> Value | None:
    """None where it is absent. Raises RequestValidationError."""
    said = request.headers.get(name)
    if said is None:
        return None
    try:
        return reader.validate_python(said)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise RequestValidationError([{**one, "loc": ("header", name)} for one in found]) from None


def require_json(headers: Mapping[str, Any]) -> None:
    """Raises RequestValidationError. Plain text can be sent by the page of any other site, JSON cannot."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))):
        raise RequestValidationError([_NOT_DECLARED_JSON])
