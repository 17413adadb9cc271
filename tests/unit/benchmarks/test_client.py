"""The client that asks all services: it counts what was refused, and comes back where it was shown out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from serving.client import Load, closed_loop, post

Answer = Callable[[bytes], bytes]


def response(status: int, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status} Word", "Content-Length: 2", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n{}"


async def ask(answer: Answer, bodies: list[bytes], at_once: int) -> tuple[Load, int]:
    """What came of it, and how many connections there were. The server closes each that it has said so of."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while head := (await reader.read(4_096)):
            sent = answer(head.rpartition(b"\r\n\r\n")[2])
            writer.write(sent)
            if b"close" in sent or not sent:
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await closed_loop(port, [post("/predict", body) for body in bodies], at_once), connections


async def test_answers_are_timed_and_refusals_counted() -> None:
    load, _ = await ask(lambda body: response(429 if body == b"no" else 200), [b"yes", b"no", b"yes"], 1)
    assert (len(load.latencies), dict(load.refused)) == (2, {429: 1})
    assert load.rate == 2 / load.seconds


async def test_a_caller_keeps_its_connection() -> None:
    load, connections = await ask(lambda _: response(200), [b"a"] * 8, 2)
    assert (len(load.latencies), connections) == (8, 2)


async def test_a_caller_comes_back_when_the_server_closes() -> None:
    load, connections = await ask(lambda _: response(200, "Connection: close"), [b"a"] * 3, 1)
    assert (len(load.latencies), connections) == (3, 3)


async def test_a_connection_that_breaks_costs_one_request() -> None:
    load, _ = await ask(lambda body: b"" if body == b"break" else response(200), [b"a", b"break", b"b"], 1)
    assert (len(load.latencies), dict(load.refused)) == (2, {0: 1})
