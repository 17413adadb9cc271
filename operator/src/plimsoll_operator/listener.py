"""A small HTTP listener for what probes and scrapers ask: fixed paths, GET only, in threads of its own.

It answers while the event loop is busy or stuck, which is when it matters.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple

SILENCE_SECONDS = 5
"""How long a client that sends nothing may hold a thread."""


class Answer(NamedTuple):
    status: HTTPStatus
    content_type: str
    body: bytes


class CannotListenError(Exception):
    """The port cannot be had; the message names it and the variable that chooses another."""


@contextmanager
def listening(address: str, port: int, setting: str, pages: Mapping[str, Callable[[], Answer]]) -> Iterator[None]:
    """Serve `pages` by path while the context lasts. Raises CannotListenError."""
    try:
        server = _server(address, port, pages)
    except OSError as error:
        raise CannotListenError(f"cannot listen on {address} port {port} ({error.strerror}): set {setting}") from error
    with server:
        thread = threading.Thread(target=server.serve_forever, name=f"listener-{port}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(timeout=SILENCE_SECONDS)


def _server(address: str, port: int, pages: Mapping[str, Callable[[], Answer]]) -> socketserver.ThreadingTCPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = SILENCE_SECONDS

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            if page is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            answer = page()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """A probe every few seconds is no news."""

    # Not http.server.HTTPServer: that one looks its own name up in the DNS before it listens.
    class Server(socketserver.ThreadingTCPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        allow_reuse_address = True
        daemon_threads = True

    return Server((address, port), Handler)
