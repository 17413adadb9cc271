"""The JSON beside a model's weights. Somebody else wrote it: its shape is checked as it is read."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from plimsoll_server.models.errors import ModelError

T = TypeVar("T")


def read_json(file: Path, kind: type[T]) -> T:
    """What `file` holds, as a `kind`. Raises ModelError, or FileNotFoundError."""
    try:
        return TypeAdapter(kind).validate_json(file.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ModelError(f"{file} cannot be read ({error.strerror}); copy it again") from error
    except ValidationError as error:
        raise ModelError(f"{file} {told(error)}; save the model again, or copy it again") from error


def told(error: ValidationError) -> str:
    """The first thing that is wrong, to be read after the name of the file."""
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return f"cannot be read as JSON ({first['msg'].removeprefix('Invalid JSON: ')})"
    place = ".".join(map(str, first["loc"]))
    return f"is not as expected ({place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')})"
