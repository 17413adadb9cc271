"""One address of a Service: where its connections go, and what happens when there is nowhere to go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from plimsoll_sandbox.node.listener import Listener
from plimsoll_sandbox.node.service_table import Address

StartBackend = Callable[[str], Awaitable[Address]]


@pytest.fixture
async def backend() -> AsyncIterator[StartBackend]:
    """Starts a server that answers everything it is sent with its name in front, once the sender has finished."""
    servers: list[asyncio.Server] = []

    async def start(name: str) -> Address:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(name.encode() + b":" + await reader.read())
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        servers.append(server)
        host, port = server.sockets[0].getsockname()
        return host, port

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def listener(unused_tcp_port: int) -> AsyncIterator[Listener]:
    listener = Listener(("127.0.0.1", unused_tcp_port))
    yield listener
    listener.close()


async def ask(port: int, text: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    writer.write_eof()
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_connections_are_spread_over_all_targets(
    listener: Listener, backend: StartBackend, unused_tcp_port: int
) -> None:
    await listener.point_to([await backend("a"), await backend("b")])
    answers = {await ask(unused_tcp_port) for _ in range(40)}
    assert answers == {b"a:", b"b:"}


async def test_all_bytes_pass_both_ways(listener: Listener, backend: StartBackend, unused_tcp_port: int) -> None:
    await listener.point_to([await backend("a")])
    text = b"x" * 3_000_000
    assert await ask(unused_tcp_port, text) == b"a:" + text


async def test_without_a_target_the_connection_is_refused(
    listener: Listener, backend: StartBackend, unused_tcp_port: int
) -> None:
    with pytest.raises(ConnectionRefusedError):
        await ask(unused_tcp_port)
    await listener.point_to([await backend("a")])
    assert await ask(unused_tcp_port) == b"a:"
    await listener.point_to([])
    with pytest.raises(ConnectionRefusedError):
        await ask(unused_tcp_port)


async def test_a_target_that_refuses_is_seen_as_a_reset(
    listener: Listener, unused_tcp_port_factory: Callable[[], int], unused_tcp_port: int
) -> None:
    await listener.point_to([("127.0.0.1", unused_tcp_port_factory())])
    with pytest.raises(ConnectionResetError):
        await ask(unused_tcp_port)


async def test_a_connection_outlives_the_choice_of_its_target(
    listener: Listener, backend: StartBackend, unused_tcp_port: int
) -> None:
    await listener.point_to([await backend("a")])
    reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
    writer.write(b"first ")
    await writer.drain()
    await asyncio.sleep(0.05)
    await listener.point_to([])
    writer.write(b"second")
    writer.write_eof()
    assert await reader.read() == b"a:first second"
    writer.close()
