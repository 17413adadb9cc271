"""A TCP proxy that misbehaves on demand: connections that are refused, or that stay open and go silent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class TcpProxy:
    """Forwards from `port` to `target` on 127.0.0.1. Made by `running_proxy`; its methods are for other threads."""

    target: int
    port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _server: asyncio.Server | None = None
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _silenced: set[asyncio.StreamWriter] = field(default_factory=set)

    def refuse(self) -> None:
        """Close what there is, and accept nothing more."""
        self._do(self._refuse())

    def accept(self) -> None:
        self._do(self._listen())

    def silence_what_is_open(self) -> None:
        """No byte passes any more over the connections that there are; new ones are well."""
        self._do(self._silence())

    def stall(self) -> None:
        """No byte passes over any connection, new ones among them."""
        self._do(self._set_open(False))

    def go_on(self) -> None:
        self._do(self._set_open(True))

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _listen(self) -> None:
        self._open.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _silence(self) -> None:
        self._silenced |= self._writers

    async def _set_open(self, is_open: bool) -> None:
        if is_open:
            self._open.set()
        else:
            self._open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            both = {writer, far_writer}
            self._writers |= both
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            self._writers -= both

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._open.wait()
                if writer not in self._silenced:
                    writer.write(data)
                    await writer.drain()
        if writer not in self._silenced:
            writer.close()


@contextmanager
def running_proxy(target: int) -> Iterator[TcpProxy]:
    proxy = TcpProxy(target)
    thread = threading.Thread(target=proxy._loop.run_forever, daemon=True)
    thread.start()
    try:
        proxy.accept()
        yield proxy
    finally:
        proxy._do(proxy._refuse())
        proxy._loop.call_soon_threadsafe(proxy._loop.stop)
        thread.join(10)
        for task in asyncio.all_tasks(proxy._loop):
            task.cancel()
        proxy._loop.run_until_complete(asyncio.sleep(0.01))
        proxy._loop.close()
