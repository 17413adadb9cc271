"""Reads a request's body before anything parses it, and refuses one that is too large without holding it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plimsoll_server.api.connection import PART_AT
from plimsoll_server.api.disconnect import ClientGoneError
from plimsoll_server.api.error_shapes import error_response
from plimsoll_server.api.held_bodies import Held
from plimsoll_server.api.problems import BODY_TOO_LARGE, SLOW_BODY, UPLOADS_FULL, WRONG_MEDIA, Problem

_STALLED_SECONDS = 10.0
"""Without a byte more. A small body has no longer to arrive."""
_LARGEST_SECONDS = 20.0
"""That the largest body has in addition, and a smaller one its share of."""
_DISCARD_SECONDS = 10.0
_LARGE_AT_ONCE = 8
_SMALL_AT_ONCE = 2
"""Times the largest size: what may be held of large bodies, and of small ones, which have a share of their own."""


class BodyLimit:
    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._held = Held(small=max_bytes * _SMALL_AT_ONCE, large=max_bytes * _LARGE_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        framing = _framing(scope)
        if framing.ambiguous:
            scope.setdefault("state", {})[PART_AT] = 0.0
        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        try:
            refusal = await self._read(scope, framing, receive, body)
            if refusal is None:
                scope.setdefault("state", {}).update(body_read=time.monotonic(), body_size=len(body))
                await self._app(scope, _replay(bytes(body), receive), send)
            else:
                self._held.give_back(len(body))
                body.clear()
                await _refuse(refusal, receive, send)
        finally:
            self._held.give_back(len(body))

    async def _read(self, scope: Scope, framing: _Framing, receive: Receive, body: bytearray) -> JSONResponse | None:
        """Fills `body`. A response instead when it must not be read to its end. Raises ClientGoneError."""
        if framing.compressed:
            return _refusal(scope, WRONG_MEDIA, "the body is compressed; send it without a Content-Encoding")
        if framing.length > self._max_bytes:
            return self._too_large(scope)
        began = time.monotonic()
        more = True
        while more:
            left = began + self._seconds_for(max(framing.length, len(body))) - time.monotonic()
            try:
                async with asyncio.timeout(min(left, _STALLED_SECONDS)):
                    part, more = await _next_part(receive)
            except TimeoutError:
                return _refusal(
                    scope, SLOW_BODY, f"{len(body)} bytes of the body came in {time.monotonic() - began:.0f} s"
                )
            if len(body) + len(part) > self._max_bytes:
                return self._too_large(scope)
            has_room = self._held.take(len(body), len(part))
            body += part
            if not has_room and more:
                return _refusal(scope, UPLOADS_FULL, "too many bodies are being sent at once; try again", retry_after=1)
        return None

    def _seconds_for(self, size: int) -> float:
        """From its first byte to its last, by the bytes that are announced, or that have come where none are."""
        return _STALLED_SECONDS + _LARGEST_SECONDS * size / self._max_bytes

    def _too_large(self, scope: Scope) -> JSONResponse:
        return _refusal(
            scope,
            BODY_TOO_LARGE,
            f"the body is larger than {self._max_bytes} bytes (PLIMSOLL_MAX_BODY_BYTES); send fewer or shorter texts",
        )


@dataclass(frozen=True, slots=True)
class _Framing:
    length: int = 0
    compressed: bool = False
    """What a compressed body unfolds to has no limit that could be known before."""
    ambiguous: bool = False
    """Two lengths are told: whoever passed it on may take its end for another request's head (RFC 9112, 6.1)."""


def _framing(scope: Scope) -> _Framing:
    length, compressed, chunked = None, False, False
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            chunked = True
        elif name == b"content-encoding":
            compressed |= value.lower() != b"identity"
    return _Framing(length or 0, compressed, ambiguous=chunked and length is not None)


def _refusal(scope: Scope, problem: Problem, message: str, *, retry_after: int | None = None) -> JSONResponse:
    scope.setdefault("state", {})["problem"] = problem
    return error_response(scope["path"], problem, message, retry_after=retry_after)


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
