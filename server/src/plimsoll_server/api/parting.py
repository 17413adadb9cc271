"""When an answer asks its caller to connect anew: while the process drains, and once a connection has grown old.

A connection stays where it was made, so pods that came later would get none of its requests, and a share of the pods
would be no share of the traffic. It is never closed but by an answer: one that lies idle may have a request on its way.
"""

from __future__ import annotations

import random
import time
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from plimsoll_server.lifecycle import Lifecycle, Phase

_JITTER = 0.2
_PART_AT = "connection_part_at"
"""Key in a request's state: when its connection is old, on the monotonic clock."""


def some_age(max_age: float) -> float:
    """More or less a fifth: connections that were made together shall not end together."""
    return max_age * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  nothing secret


def aging_protocol(max_age: float) -> type[H11Protocol]:
    """uvicorn's protocol, one object per connection, with a time to part in the state of each request.

    `max_age` is in seconds.
    """

    class AgingProtocol(H11Protocol):
        def __init__(self, *, app_state: dict[str, Any], **options: Any) -> None:
            super().__init__(app_state={**app_state, _PART_AT: time.monotonic() + some_age(max_age)}, **options)

    return AgingProtocol


class Parting:
    def __init__(self, app: ASGIApp, lifecycle: Lifecycle) -> None:
        self._app = app
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        part_at = scope.get("state", {}).get(_PART_AT, float("inf"))

        async def parting_send(message: Message) -> None:
            if message["type"] == "http.response.start" and self._it_is_time(part_at):
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, parting_send)

    def _it_is_time(self, part_at: float) -> bool:
        return self._lifecycle.phase is Phase.DRAINING or time.monotonic() >= part_at
