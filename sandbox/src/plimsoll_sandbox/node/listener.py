"""One address on which a Service is reached: connections are passed on to pods, one by one."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Sequence

from plimsoll_sandbox.node.service_table import Address

_CHUNK_BYTES = 64 * 1024
_CONNECT_SECONDS = 5.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Listener:
    """Listens exactly while there is somewhere to go, so that without ready pods a connection is refused.

    Connections that were accepted live on when the pod they go to is no longer chosen for new ones.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._targets: Sequence[Address] = ()
        self._server: asyncio.Server | None = None

    async def point_to(self, targets: Sequence[Address]) -> None:
        """Send new connections to any of these. Raises OSError when the address cannot be listened on."""
        self._targets = targets
        if targets and self._server is None:
            host, port = self._address
            self._server = await asyncio.start_server(self._pass_on, host, port)
        if not targets:
            self.close()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._targets:  # The last one went while this connection was being accepted.
            _reset(writer)
            return
        host, port = random.choice(self._targets)  # noqa: S311 - spreads load, guards nothing
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                their_reader, their_writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            _reset(writer)
            return
        await asyncio.gather(_copy(reader, their_writer, writer), _copy(their_reader, writer, their_writer))
        writer.close()
        their_writer.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
    """Until `source` ends, which the sink is told; when either side breaks, both do."""
    try:
        while data := await source.read(_CHUNK_BYTES):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
    except OSError:
        _reset(sink)
        _reset(back)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side sees a reset, as from a host where nobody listens."""
    raw = writer.get_extra_info("socket")
    if raw is not None and not writer.is_closing():
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
