"""A body, or what stands of it in JSON, as its model reads it: parsed and checked in one pass of compiled code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)

_MISSING = {"type": "missing", "loc": ("body",), "msg": "Field required"}
_NOT_DECLARED_JSON = {"type": "not_json", "loc": ("body",), "msg": "JSON is read and nothing else"}


def read_json(model: type[Model], body: bytes) -> Model:
    """Raises RequestValidationError."""
    if not body:
        raise RequestValidationError([_MISSING])
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False, include_url=False)) from None


def require_json(headers: Mapping[str, Any]) -> None:
    """Raises RequestValidationError. Plain text can be sent by the page of any other site, JSON cannot."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))):
        raise RequestValidationError([_NOT_DECLARED_JSON])
