"""A client that takes as little of the machine as it can: requests made up beforehand, connections that are kept."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

REQUEST_SECONDS = 600.0
_OK = 200
NO_ANSWER = 0


@dataclass(slots=True)
class Load:
    """What came of a workload."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of the server's processor."""
    latencies: list[float] = field(default_factory=list)
    """Of those that were answered with 200, in seconds."""
    refused: Counter[int] = field(default_factory=Counter)
    """The others by their status; 0 where the connection broke."""

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0


class Connection:
    """One request at a time. Opened when it is needed, and again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Status and body. Raises OSError or IncompleteReadError when the connection breaks."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await reader.readexactly(int(_header(head, b"content-length") or 0))
        if _header(head, b"connection") == b"close":
            await self.close()
        return int(head[9:12]), body

    async def close(self) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _header(head: bytes, name: bytes) -> bytes | None:
    _, found, rest = head.partition(b"\r\n" + name + b":")
    return rest.partition(b"\r\n")[0].strip() if found else None


def post(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def closed_loop(port: int, requests: Sequence[bytes], at_once: int) -> Load:
    """Sends all of them, `at_once` at any time: whoever has its answer sends the next one."""
    load = Load()
    waiting = iter(requests)
    began = time.perf_counter()
    await asyncio.gather(*(_caller(port, waiting, load) for _ in range(at_once)))
    load.seconds = time.perf_counter() - began
    return load


async def _caller(port: int, waiting: Iterator[bytes], load: Load) -> None:
    connection = Connection(port)
    try:
        for request in waiting:
            sent = time.perf_counter()
            status = await _status(connection, request)
            if status == _OK:
                load.latencies.append(time.perf_counter() - sent)
            else:
                load.refused[status] += 1
    finally:
        await connection.close()


async def _status(connection: Connection, request: bytes) -> int:
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            status, _ = await connection.send(request)
    except (OSError, asyncio.IncompleteReadError):
        await connection.close()
        return NO_ANSWER
    return status
