"""What a connection may take before it asks anything: real sockets, and an application that answers everything."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from plimsoll_server.api.bounded_connection import MAX_HEAD_BYTES, BoundedConnection

REQUEST = b"GET / HTTP/1.1\r\nHost: pod\r\n%b\r\n"
SECONDS = 30.0


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


class Hasty(BoundedConnection):
    head_seconds = 0.1
    at_most = 3
    first_word_seconds = 0.1


class Patient(BoundedConnection):
    first_word_seconds = SECONDS


class Server(uvicorn.Server):
    def __init__(self, protocol: type[BoundedConnection], address: tuple[str, int]) -> None:
        super().__init__(
            uvicorn.Config(
                answer,
                http=protocol,
                lifespan="off",
                log_config=None,
                access_log=False,
                ws="none",
                timeout_keep_alive=600,
            )
        )
        self.address = address

    async def has_a_connection(self) -> None:
        for _ in range(3_000):
            if self.server_state.connections:
                return
            await asyncio.sleep(0.01)

    def tell_connections(self) -> None:
        """That the server ends, as it does then."""
        for connection in list(self.server_state.connections):
            connection.shutdown()


@contextlib.asynccontextmanager
async def serving(protocol: type[BoundedConnection]) -> AsyncIterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(protocol, listener.getsockname())
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield server
        finally:
            server.should_exit = True
            await running


class Caller:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def says(self) -> bytes:
        """The first line of the answer; nothing where the connection ends without one."""
        return await asyncio.wait_for(self.reader.readline(), SECONDS)

    async def hears_out(self) -> None:
        """The rest of the answer, whose first line was read."""
        await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), SECONDS)


@contextlib.asynccontextmanager
async def calling(server: Server, sent: bytes = b"") -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection(*server.address)
    try:
        writer.write(sent)
        yield Caller(reader, writer)
    finally:
        writer.close()


def request_of(head: int) -> bytes:
    padding = head - len(REQUEST % b"X: \r\n")
    return REQUEST % (b"X: " + b"a" * padding + b"\r\n")


@pytest.mark.parametrize(
    ("size", "status"),
    [(MAX_HEAD_BYTES, b"200"), (MAX_HEAD_BYTES + 1, b"400"), (2 * MAX_HEAD_BYTES, b"400")],
    ids=["as long as may be", "a byte more", "in one breath"],
)
@pytest.mark.parametrize("pieces", [1, 2], ids=["at once", "in two pieces"])
async def test_a_head_has_its_limit_however_it_comes(size: int, status: bytes, pieces: int) -> None:
    head = request_of(size)
    cut = 10_000 if pieces == 2 else len(head)
    async with serving(BoundedConnection) as server, calling(server, head[:cut]) as caller:
        await caller.writer.drain()
        await asyncio.sleep(0.05)  # so that they are read apart; together they must come to the same
        caller.writer.write(head[cut:])
        assert (await caller.says()).split()[1] == status


async def test_a_head_that_does_not_come_to_its_end_is_not_waited_for() -> None:
    async with serving(Hasty) as server, calling(server, b"GET / HTTP/1.1\r\nHo") as caller:
        assert await caller.says() == b""


async def test_a_connection_is_kept_between_requests_and_before_the_first() -> None:
    async with serving(Hasty) as server, calling(server) as caller:
        for _ in range(2):
            await asyncio.sleep(2 * Hasty.head_seconds)
            caller.writer.write(REQUEST % b"")
            assert b"200" in await caller.says()
            await caller.hears_out()


async def test_beyond_the_most_connections_an_idle_one_makes_room() -> None:
    async with serving(Hasty) as server, contextlib.AsyncExitStack() as held:
        idle = [await held.enter_async_context(calling(server)) for _ in range(Hasty.at_most)]
        newest = await held.enter_async_context(calling(server, REQUEST % b""))
        assert b"200" in await newest.says()
        ended = [asyncio.create_task(caller.reader.read()) for caller in idle]
        done, _ = await asyncio.wait(ended, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        for task in ended:
            task.cancel()


async def test_an_answer_that_came_before_the_end_of_its_request_leaves_a_connection_that_is_kept() -> None:
    begun = REQUEST.replace(b"GET", b"POST") % b"Content-Length: 4\r\n" + b"12"
    async with serving(Hasty) as server, calling(server, begun) as caller:
        assert b"200" in await caller.says()
        await caller.hears_out()
        caller.writer.write(b"34")
        await asyncio.sleep(2 * Hasty.head_seconds)
        caller.writer.write(REQUEST % b"")
        assert b"200" in await caller.says()


WHOLE = REQUEST % b"Connection: close\r\n"


@pytest.mark.parametrize(
    ("before", "rest"),
    [
        pytest.param(b"", WHOLE, id="one that has not asked yet"),
        pytest.param(WHOLE[:9], WHOLE[9:], id="one that has begun to"),
    ],
)
async def test_a_connection_that_came_before_the_end_of_the_server_is_answered(before: bytes, rest: bytes) -> None:
    async with serving(Patient) as server, calling(server, before) as caller:
        await server.has_a_connection()
        await asyncio.sleep(0.05)  # so that what was sent is read
        server.tell_connections()
        await asyncio.sleep(0.05)
        caller.writer.write(rest)
        assert b"200" in await caller.says()


async def test_a_kept_connection_that_asks_in_the_moment_in_which_the_server_ends_is_answered() -> None:
    async with serving(BoundedConnection) as server, calling(server, REQUEST % b"") as caller:
        assert b"200" in await caller.says()
        await caller.hears_out()
        caller.writer.write(WHOLE)  # at once, to where nobody has read it yet
        server.tell_connections()
        assert b"200" in await caller.says()


@pytest.mark.parametrize("sent", [b"", REQUEST % b""], ids=["one that never asks", "one that is kept"])
async def test_no_idle_connection_holds_the_server_at_its_end(sent: bytes) -> None:
    async with serving(Hasty) as server, calling(server, sent) as caller:
        await server.has_a_connection()
        if sent:
            assert b"200" in await caller.says()
            await caller.hears_out()
        server.tell_connections()
        assert await caller.says() == b""
