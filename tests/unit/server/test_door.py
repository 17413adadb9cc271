"""A listening socket that is to be closed: a real one, and the kernel's own handshakes."""

from __future__ import annotations

import socket
from contextlib import closing

import uvicorn
from starlette.types import Receive, Scope, Send

from plimsoll_server.api.bounded_connection import BoundedConnection
from plimsoll_server.api.door import has_something, refuse_newcomers
from plimsoll_server.lifecycle import Lifecycle
from plimsoll_server.serve import _HttpServer


def is_let_in(listener: socket.socket) -> bool:
    """Whether a newcomer is, which the kernel settles at once between two sockets of one machine."""
    with closing(socket.socket()) as late:
        late.setblocking(False)
        late.connect_ex(listener.getsockname())
        try:
            late.getpeername()
        except OSError:
            return False
        return True


def test_who_has_come_is_let_in_and_who_comes_then_is_not() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as early,
    ):
        early.sendall(b"before")
        assert is_let_in(listener)
        refuse_newcomers(listener)
        assert not is_let_in(listener)
        assert has_something(listener.fileno())
        accepted, _ = listener.accept()
        with accepted:
            early.sendall(b" and after")
            assert accepted.recv(16, socket.MSG_WAITALL) == b"before and after"


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_a_server_that_ends_has_everybody_inside_before_it_shuts() -> None:
    config = uvicorn.Config(answer, http=BoundedConnection, lifespan="off", log_config=None, ws="none")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _HttpServer(config, Lifecycle())
        server.begin(listener)
        callers = [socket.create_connection(listener.getsockname()) for _ in range(20)]
        await server.let_in_the_last()
        assert len(server.server_state.connections) == len(callers)
        assert not is_let_in(listener)
        for caller in callers:
            caller.close()
        await server.shut()
