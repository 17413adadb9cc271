"""A route whose body is JSON with bytes behind it. It reads its parameters itself, as DirectRoute does, and why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any

from fastapi import Header
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from plimsoll_server.api.bodies import read_header
from plimsoll_server.api.patience import patience_of

HEADER_LENGTH = "Inference-Header-Content-Length"

HeaderLength = Annotated[
    int | None,
    Header(alias=HEADER_LENGTH, ge=0, le=1 << 40, description="Bytes of JSON, where bytes of tensors stand behind it."),
]
_READER: TypeAdapter[int | None] = TypeAdapter(HeaderLength)


class TensorRoute(APIRoute):
    """Of an endpoint with the parameters of its path, and `request`, `header_length` and `patience`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[..., Awaitable[Response]] = self.endpoint

        async def handle(request: Request) -> Response:
            length = read_header(_READER, request, HEADER_LENGTH)
            named: dict[str, str] = request.path_params
            return await endpoint(request=request, **named, header_length=length, patience=patience_of(request))

        return handle
