"""The port that Prometheus asks: on a thread of its own, so that a scrape works whatever the server's event loop does.

One thread whoever comes, and there before memory is short. Nobody has to show a key here, so a connection gets one
answer, seconds for it, and a place among few.
"""

from __future__ import annotations

import asyncio
from threading import Thread
from typing import ClassVar
from weakref import WeakSet

import uvicorn
from prometheus_client import CollectorRegistry, make_asgi_app
from starlette.types import ASGIApp, Receive, Scope, Send

from plimsoll_server.api.bounded_connection import BoundedConnection
from plimsoll_server.listening import listen

_MOST_CONNECTIONS = 32
_SECONDS = 10.0
"""As long as Prometheus waits, unless told otherwise."""
_GRACEFUL_SECONDS = 1


class MetricsPort:
    def __init__(self, registry: CollectorRegistry, address: str, port: int, *, seconds: float = _SECONDS) -> None:
        """`seconds`: of one connection, from its beginning to its end. Raises StartError."""
        self._listener = listen(address, port, "PLIMSOLL_METRICS_PORT", _MOST_CONNECTIONS)
        self._server = uvicorn.Server(
            uvicorn.Config(
                _page(registry),
                lifespan="off",
                http=_brief_connection(seconds),
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                headers=[("Connection", "close")],
                # As many are accepted in one turn of the loop.
                backlog=_MOST_CONNECTIONS,
                timeout_graceful_shutdown=_GRACEFUL_SECONDS,
            )
        )
        self._thread = Thread(target=self._serve, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listener]))


def _page(registry: CollectorRegistry) -> ASGIApp:
    page = make_asgi_app(registry)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        # The library fails at others, and its traceback would be in the log of whoever is asked.
        headers = [(name, said) for name, said in scope["headers"] if said.isascii()]
        await page({**scope, "headers": headers}, receive, send)

    return answer


def _brief_connection(seconds: float) -> type[BoundedConnection]:
    class BriefConnection(BoundedConnection):
        at_most = _MOST_CONNECTIONS
        first_word_seconds = 0.0
        arriving: ClassVar[WeakSet[BoundedConnection]] = WeakSet()
        """Apart from those of the other port, and of its thread."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            self._end = self.loop.call_later(seconds, transport.abort)
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            self._end.cancel()
            super().connection_lost(exc)

    return BriefConnection
