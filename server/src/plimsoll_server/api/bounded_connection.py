"""What a connection may take before it asks anything: bytes and seconds of a head, and a place among the others."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_HEAD_BYTES = 16_384


class BoundedConnection(H11Protocol):
    """`head_seconds`: from the first byte of a head to its last. Beyond `at_most` connections an idle one ends for each
    that comes, and where none is idle, the one that comes."""

    head_seconds = 30.0
    at_most = 4_096

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # One that never asks is as idle as one that has asked.
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        if len(self.connections) > self.at_most:
            (self._an_idle_one() or self).timeout_keep_alive_handler()

    def data_received(self, data: bytes) -> None:
        if self.conn.their_state is h11.IDLE:
            data = self._behind_a_head_that_is_too_long(data)
        if data:
            super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        super().connection_lost(exc)

    def _behind_a_head_that_is_too_long(self, data: bytes) -> bytes:
        """What is left to read of `data`: h11 looks at a head's length only as long as the head is not whole."""
        most = MAX_HEAD_BYTES - (len(self.conn.trailing_data[0]) if self._head_timer else 0)
        if len(data) <= most:
            return data
        super().data_received(data[:most])
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.send_400_response(f"The head of a request is longer than {MAX_HEAD_BYTES} bytes.")
        return b"" if self.transport.is_closing() else data[most:]

    def _watch_head(self) -> None:
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._forget_head()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self.timeout_keep_alive_handler)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _an_idle_one(self) -> H11Protocol | None:
        others = (one for one in self.connections if isinstance(one, H11Protocol) and one is not self)
        return next((one for one in others if _is_idle(one)), None)


def _is_idle(connection: H11Protocol) -> bool:
    asked = connection.cycle is not None
    return not connection.transport.is_closing() and (not asked or connection.cycle.response_complete)
