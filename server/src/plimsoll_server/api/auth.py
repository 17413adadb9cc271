"""Lets those through who carry a known key, and notes who they are."""

from __future__ import annotations

from collections.abc import Callable

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from plimsoll_server.api.error_shapes import error_response
from plimsoll_server.api.key_ring import KeyRing
from plimsoll_server.api.problems import UNAUTHORIZED

CALLER = "caller"
"""Key in a request's state: the identity of its caller, where one is known."""


class Auth:
    """Asks for `Authorization: Bearer KEY` (RFC 6750) at every path but those that `is_open` names."""

    def __init__(self, app: ASGIApp, keys: Callable[[], KeyRing], is_open: Callable[[str], bool]) -> None:
        """`keys` gives the newest: they may change between two requests."""
        self._app = app
        self._keys = keys
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        key = _bearer(scope)
        identity = self._keys().identity(key) if key else None
        if identity is None:
            await _refusal(scope, given=bool(key))(scope, receive, send)
            return
        scope.setdefault("state", {})[CALLER] = identity
        await self._app(scope, receive, send)


def _bearer(scope: Scope) -> bytes:
    """The key as it was sent; nothing where none was, or more than one header."""
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    kind, _, key = sent[0].partition(b" ") if len(sent) == 1 else (b"", b"", b"")
    return key.strip() if kind.lower() == b"bearer" else b""


def _refusal(scope: Scope, *, given: bool) -> JSONResponse:
    scope.setdefault("state", {})["problem"] = UNAUTHORIZED
    message = (
        "this API key is not known here, or not any more; ask whoever runs this service for one"
        if given
        else "an API key is wanted: send the header Authorization: Bearer KEY"
    )
    response = error_response(scope["path"], UNAUTHORIZED, message)
    response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if given else "Bearer"
    return response
