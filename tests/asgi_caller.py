"""Calls an ASGI application within the test's own event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import httpx
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass
class Inner:
    """Answers everything with 200 and remembers whom the layers before it took its callers for."""

    callers: list[str | None] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.callers.append(scope.get("state", {}).get("caller"))
        await JSONResponse({})(scope, receive, send)


Call = Callable[..., Awaitable[httpx.Response]]


def caller_of(app: ASGIApp) -> Call:
    async def call(
        path: str = "/predict", headers: Mapping[str, str] | None = None, address: str = "10.0.0.1"
    ) -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(address, 4321))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.post(path, headers=headers, json={"inputs": "a text"})

    return call
