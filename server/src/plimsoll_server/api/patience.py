"""How long a caller says it will wait, in the header that every protocol takes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

_LONGEST = 86_400.0

Patience = Annotated[
    float | None,
    Header(
        alias="X-Request-Timeout",
        gt=0,
        le=_LONGEST,
        allow_inf_nan=False,
        description="Seconds after which the caller wants no answer any more: it is answered 504 then. The server's "
        "own deadline holds where that is shorter.",
        examples=[10],
    ),
]
