"""Reads a request's body before anything parses it, and refuses one that is too large without holding it."""

from __future__ import annotations

import asyncio
import time

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plimsoll_server.api.disconnect import ClientGoneError
from plimsoll_server.api.error_shapes import error_response
from plimsoll_server.api.problems import BODY_TOO_LARGE, OVERLOADED, SLOW_BODY, WRONG_MEDIA

_READ_SECONDS = 30.0
_DISCARD_SECONDS = 10.0
_BODIES_AT_ONCE = 8
"""Bodies of the largest size that may be held at the same time."""


class BodyLimit:
    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        try:
            refusal = await self._read(scope, receive, body)
            if refusal is None:
                scope.setdefault("state", {})["body_read"] = time.monotonic()
                await self._app(scope, _replay(bytes(body), receive), send)
            else:
                await _refuse(refusal, receive, send)
        finally:
            self._held -= len(body)

    async def _read(self, scope: Scope, receive: Receive, body: bytearray) -> JSONResponse | None:
        """Fills `body`. A response instead when it must not be read to its end. Raises ClientGoneError."""
        path = scope["path"]
        if _is_compressed(scope):
            return error_response(path, WRONG_MEDIA, "the body is compressed; send it without a Content-Encoding")
        if _declared_length(scope) > self._max_bytes:
            return self._too_large(path)
        try:
            async with asyncio.timeout(_READ_SECONDS):
                more = True
                while more:
                    part, more = await _next_part(receive)
                    if len(body) + len(part) > self._max_bytes:
                        return self._too_large(path)
                    if self._held + len(part) > self._max_bytes * _BODIES_AT_ONCE:
                        return error_response(
                            path, OVERLOADED, "too many large bodies at once; try again", retry_after=1
                        )
                    body += part
                    self._held += len(part)
        except TimeoutError:
            return error_response(path, SLOW_BODY, f"the body did not arrive within {_READ_SECONDS:g} s")
        return None

    def _too_large(self, path: str) -> JSONResponse:
        return error_response(
            path,
            BODY_TOO_LARGE,
            f"the body is larger than {self._max_bytes} bytes (PLIMSOLL_MAX_BODY_BYTES); send fewer or shorter texts",
        )


def _declared_length(scope: Scope) -> int:
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


def _is_compressed(scope: Scope) -> bool:
    """What a compressed body unfolds to has no limit that could be known before."""
    return any(name == b"content-encoding" and value.lower() != b"identity" for name, value in scope["headers"])


async def _next_part(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    return message.get("body", b""), message.get("more_body", False)


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body in one message; after it, whatever the connection has to say."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


async def _refuse(refusal: JSONResponse, receive: Receive, send: Send) -> None:
    """Answers at once and throws away what still comes: a connection closed under a client that is still sending
    would be reset, and the answer lost with it."""
    refusal.headers["Connection"] = "close"
    await send({"type": "http.response.start", "status": refusal.status_code, "headers": refusal.raw_headers})
    await send({"type": "http.response.body", "body": refusal.body, "more_body": True})
    try:
        async with asyncio.timeout(_DISCARD_SECONDS):
            while (await _next_part(receive))[1]:
                pass
    except (TimeoutError, ClientGoneError):
        pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
