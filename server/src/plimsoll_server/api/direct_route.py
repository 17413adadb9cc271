"""A route that reads its parameters itself. It is documented like any other; the framework's own way to them, which it
looks up anew for each request, takes longer than all the rest of an answer that is remembered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, get_type_hints

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from plimsoll_server.api.bodies import read_json, require_json
from plimsoll_server.api.patience import patience_of


class DirectRoute(APIRoute):
    """Of an endpoint with the parameters (body: a model, request: Request, patience: Patience), the last if anybody
    waits for its answers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[..., Awaitable[Response]] = self.endpoint
        hints = get_type_hints(endpoint)
        model, waits = hints["body"], "patience" in hints

        async def handle(request: Request) -> Response:
            raw = await request.body()
            if raw:
                require_json(request.headers)
            body = read_json(model, raw)
            return await (endpoint(body, request, patience_of(request)) if waits else endpoint(body, request))

        return handle
