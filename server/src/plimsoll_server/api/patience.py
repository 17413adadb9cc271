"""How long a caller says it will wait, in the header that every protocol takes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Request
from pydantic import TypeAdapter

from plimsoll_server.api.bodies import read_header

_NAME = "X-Request-Timeout"
_LONGEST = 86_400.0

Patience = Annotated[
    float | None,
    Header(
        alias=_NAME,
        gt=0,
        le=_LONGEST,
        allow_inf_nan=False,
        description="Seconds after which the caller wants no answer any more: it is answered 504 then. The server's "
        "own deadline holds where that is shorter.",
        examples=[10],
    ),
]

_READER: TypeAdapter[float | None] = TypeAdapter(Patience)


def patience_of(request: Request) -> float | None:
    """Seconds; None where the caller has not said. Raises RequestValidationError."""
    return read_header(_READER, request, _NAME)
