"""Counts every request by how it ended, whichever layer ended it, and has its line written where one is wanted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plimsoll_server.api.access_log import log_request
from plimsoll_server.api.disconnect import ClientGoneError
from plimsoll_server.api.errors import CLIENT_GONE
from plimsoll_server.api.problems import GIVEN_UP, OUT_OF_MEMORY, RATE_LIMITED, TOO_LONG, UPLOADS_FULL, Problem
from plimsoll_server.lifecycle import Lifecycle


class RequestObserver(Protocol):
    def request_done(self, tier: str | None, outcome: str, seconds: float, *, size: int, of_batch: bool) -> None: ...


Close = Callable[[Scope, int, str, float], None]
"""(request, status, outcome, seconds)."""


class Accounting:
    """Counts the requests to the paths that `counts` says, and has a line written of those to the paths that `told`
    says, counted or not."""

    def __init__(
        self,
        app: ASGIApp,
        counts: Callable[[str], bool],
        lifecycle: Lifecycle,
        observer: RequestObserver,
        *,
        told: Callable[[str], bool] | None = None,
    ) -> None:
        self._app = app
        self._counts = counts
        self._lifecycle = lifecycle
        self._observer = observer
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._counts(scope["path"]):
            self._lifecycle.request_began()
            try:
                await self._follow(scope, receive, send, self._count)
            finally:
                self._lifecycle.request_ended()
        elif self._told is not None and self._told(scope["path"]):
            await self._follow(scope, receive, send, log_request)
        else:
            await self._app(scope, receive, send)

    async def _follow(self, scope: Scope, receive: Receive, send: Send, close: Close) -> None:
        state = scope.setdefault("state", {})
        state["body_read"] = time.monotonic()
        status = 0

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except ClientGoneError:
            status = 0
        finally:
            outcome = _outcome(status, state.get("problem"), remembered=state.get("remembered", False))
            close(scope, status, outcome, time.monotonic() - state["body_read"])

    def _count(self, scope: Scope, status: int, outcome: str, seconds: float) -> None:
        state = scope["state"]
        size, of_batch = state.get("body_size", 0), state.get("of_batch", False)
        self._observer.request_done(state.get("tier"), outcome, seconds, size=size, of_batch=of_batch)
        if self._told is not None:
            log_request(scope, status, outcome, seconds)


def _outcome(status: int, problem: Problem | None, *, remembered: bool) -> str:
    if status in (0, CLIENT_GONE) or problem is GIVEN_UP:
        return "cancelled"
    if problem is TOO_LONG:
        return "too_long"  # some protocols say 400
    match status:
        case 413:
            return "too_long"
        case 503 if problem is OUT_OF_MEMORY:
            return "oom"
        case 429 if problem in (RATE_LIMITED, UPLOADS_FULL):
            return "limited"
        case 429 | 503:
            return "rejected"
        case _ if status >= 500:
            return "error"
        case _:
            return "invalid" if status >= 400 else "remembered" if remembered else "ok"
