"""When an answer asks its caller to connect anew: while the process drains, and once a connection has grown old.

A connection stays where it was made, so pods that came later would get none of its requests, and a share of the pods
would be no share of the traffic. It is never closed but by an answer: one that lies idle may have a request on its way.
"""

from __future__ import annotations

import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plimsoll_server.api.connection import PART_AT
from plimsoll_server.lifecycle import Lifecycle, Phase


class Parting:
    def __init__(self, app: ASGIApp, lifecycle: Lifecycle) -> None:
        self._app = app
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def parting_send(message: Message) -> None:
            if message["type"] == "http.response.start" and self._it_is_time(scope):
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, parting_send)

    def _it_is_time(self, scope: Scope) -> bool:
        """Asked when the answer is there: what was read of the request may have settled it."""
        part_at: float = scope.get("state", {}).get(PART_AT, float("inf"))
        return self._lifecycle.phase is Phase.DRAINING or time.monotonic() >= part_at
