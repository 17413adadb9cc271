"""Each answer tells which revision and which pod gave it."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Signing:
    """Outermost, so that errors are signed like anything else. An empty name is left out."""

    def __init__(self, app: ASGIApp, *, revision: str, replica: str) -> None:
        self._app = app
        named = {"plimsoll-revision": revision, "plimsoll-replica": replica}
        self._headers = {header: name for header, name in named.items() if name}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def signing_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, signing_send)
