"""How long a connection is kept, and what each answer tells of who gave it: real sockets, held by the test."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from plimsoll_server.api.connection import some_age
from plimsoll_server.settings import read_settings
from server_builders import server_config, topic_model
from server_process import IDENTITY, SERVE, Server, environment, process, serving

YOUNG, OLD_AT_ONCE = "3600", "0.01"
"""Ages in seconds: never reached in a test, and over before a first answer."""
KEPT_OF_A_HEAD = 16_384
"""Bytes."""


@asynccontextmanager
async def aging(folder: Path, max_age: str) -> AsyncIterator[Server]:
    async with serving(server_config(topic_model(folder)), PLIMSOLL_CONNECTION_MAX_AGE_SECONDS=max_age) as server:
        yield server


class Connection:
    """One connection that its owner holds and watches, as no client library lets one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, text: str = "tides") -> httpx.Response:
        """One request, and its answer to the last byte."""
        body = json.dumps({"inputs": text}).encode()
        self._writer.write(
            b"POST /predict HTTP/1.1\r\nHost: pod\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = httpx.Headers(dict(line.split(": ", 1) for line in lines))
        content = await self._reader.readexactly(int(headers["content-length"]))
        return httpx.Response(int(first.split()[1]), headers=headers, content=content)

    async def ended(self, within: float) -> bool:
        """Whether the server closes it in this time, with nothing more said."""
        try:
            return await asyncio.wait_for(self._reader.read(1), within) == b""
        except TimeoutError:
            return False


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection(*server.address)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


async def test_a_young_connection_is_kept_for_the_next_request(tmp_path: Path) -> None:
    async with aging(tmp_path, YOUNG) as server, connected(server) as held:
        answers = [await held.ask() for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert all("connection" not in answer.headers for answer in answers)
        assert not await held.ended(0.1)


async def test_an_old_connection_ends_with_its_next_answer_and_loses_none_of_it(tmp_path: Path) -> None:
    async with aging(tmp_path, OLD_AT_ONCE) as server, connected(server) as held:
        assert not await held.ended(0.1), "idle and old, it may still have a request on its way"
        answer = await held.ask()
        assert answer.status_code == 200
        assert {label["label"] for label in answer.json()} == {"sea", "land"}
        assert answer.headers["connection"] == "close"
        assert await held.ended(30)


async def test_a_client_that_never_repeats_a_request_loses_none(tmp_path: Path) -> None:
    """Its pool takes a connection that was closed under it for good; a lost request would raise."""
    transport = httpx.AsyncHTTPTransport(retries=0, limits=httpx.Limits(max_connections=4))
    async with aging(tmp_path, OLD_AT_ONCE) as server, httpx.AsyncClient(transport=transport, timeout=60) as client:
        url = "http://{}:{}/predict".format(*server.address)

        async def ask(_: int) -> int:
            return (await client.post(url, json={"inputs": "tides"})).status_code

        assert await asyncio.gather(*map(ask, range(40))) == [200] * 40


async def test_idle_connections_take_no_more_files_than_the_process_may_have_open(tmp_path: Path) -> None:
    """More of them than files: each still is let in, and so is whoever asks then."""
    variables = environment(server_config(topic_model(tmp_path / "model")))
    few = ("bash", "-c", f"ulimit -n 400; exec {SERVE[0]} {SERVE[1]}")
    with process(tmp_path, variables, few) as server:
        server.until_ready()
        address = "127.0.0.1", int(variables["PLIMSOLL_HTTP_PORT"])
        async with AsyncExitStack() as held:
            for _ in range(600):
                _, writer = await asyncio.open_connection(*address)
                held.callback(writer.close)
            async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
                assert (await client.post("/predict", json={"inputs": "tides"})).status_code == 200
        assert "200 connections are held at once instead of 4096" in server.log.read_text()


async def test_a_head_without_end_is_refused_and_not_kept(tmp_path: Path) -> None:
    async with aging(tmp_path, YOUNG) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        answer = asyncio.create_task(reader.read(4096))
        writer.write(b"POST /predict HTTP/1.1\r\nHost: pod\r\nX-Endless: ")
        sent = 0
        while not answer.done() and sent < 16 * KEPT_OF_A_HEAD:
            writer.write(b"x" * 1024)
            sent += 1024
            with suppress(ConnectionError):
                await asyncio.wait_for(writer.drain(), 30)
            await asyncio.wait([answer], timeout=0.001)
        said = await asyncio.wait_for(answer, 30)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    assert said.startswith(b"HTTP/1.1 400")
    assert sent < 8 * KEPT_OF_A_HEAD


async def test_a_request_that_offers_to_upgrade_is_answered_as_it_is(tmp_path: Path) -> None:
    """Java's client offers HTTP/2 with its first request, which has a body all the same."""
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAAAAIAAAAB"}
    async with aging(tmp_path, YOUNG) as server:
        answers = [await server.client.post("/predict", json={"inputs": "tides"}, headers=offer) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_many_requests_in_one_breath_are_answered_in_turn_however_large(tmp_path: Path) -> None:
    """Pipelined, with bodies longer than a head may be: none is taken for a part of the next one's head."""
    async with aging(tmp_path, YOUNG) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        body = json.dumps({"inputs": "tides" + " " * 100_000}).encode()
        head = b"POST /predict HTTP/1.1\r\nHost: pod\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        writer.write((head % len(body) + body) * 3)
        statuses = []
        for _ in range(3):
            answer = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)).decode().lower()
            statuses.append(answer.split()[1])
            length = next(line for line in answer.split("\r\n") if line.startswith("content-length:"))
            await reader.readexactly(int(length.partition(":")[2]))
        writer.close()
        await writer.wait_closed()
    assert statuses == ["200"] * 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/predict", 200), ("POST", "/infer", 422), ("GET", "/nowhere", 404), ("GET", "/readyz", 200)],
    ids=["an answer", "a refusal", "no such path", "a probe"],
)
async def test_every_answer_tells_its_revision_and_its_pod(tmp_path: Path, method: str, path: str, status: int) -> None:
    async with aging(tmp_path, YOUNG) as server:
        answer = await server.client.request(method, path, json={"inputs": "tides"})
    assert answer.status_code == status
    assert answer.headers["plimsoll-revision"] == IDENTITY["PLIMSOLL_REVISION"]
    assert answer.headers["plimsoll-replica"] == IDENTITY["POD_NAME"]


async def test_an_answer_never_waits_for_the_acknowledgement_of_its_head(tmp_path: Path) -> None:
    # 40 ms on a kept connection, ten times what a short text takes: more than most changes of a model would cost.
    async with aging(tmp_path, YOUNG) as server, connected(server) as connection:
        await connection.ask()
        sent_at_once = {one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in accepted_at(server.address)}
        assert sent_at_once == {1}


def accepted_at(address: tuple[str, int]) -> Iterator[socket.socket]:
    """Copies of the connections that the server under this address has: it runs in the test's own process."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError), socket.socket(fileno=os.dup(int(descriptor.name))) as copy:
            if copy.getsockname() == address and copy.getpeername():
                yield copy


def test_connections_grow_a_minute_old_and_not_all_the_same() -> None:
    usual = read_settings(environment(server_config("/models/any"))).connection_max_age_seconds
    ages = [some_age(usual) for _ in range(200)]
    assert usual == 60
    assert 48 <= min(ages) < 54 < 66 < max(ages) <= 72
