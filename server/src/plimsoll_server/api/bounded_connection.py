"""What a connection may take before it asks anything: bytes and seconds of a head, and a place among the others."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar
from weakref import WeakSet

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from plimsoll_server.api.door import has_something

MAX_HEAD_BYTES = 16_384
_LOOK_SECONDS = 0.02


class BoundedConnection(H11Protocol):
    """`head_seconds`: from the first byte of a head to its last. Beyond `at_most` connections an idle one ends for each
    that comes, and where none is idle, the one that comes. When the server ends, `first_word_seconds` after it came is
    the least that each has to ask something."""

    head_seconds = 30.0
    at_most = 4_096
    first_word_seconds = 3.0

    arriving: ClassVar[WeakSet[BoundedConnection]] = WeakSet()
    """Accepted, and not made yet: that takes some turns of the loop, and with TLS a handshake."""

    _head_timer: asyncio.TimerHandle | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._came = self.loop.time()
        self.arriving.add(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.arriving.discard(self)
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

    def shutdown(self) -> None:
        """Called when the server ends: ends with the answer that is under way, or one that may still be asked for.

        A connection on which a request comes in this very moment would be closed without an answer. Of one that was
        kept after an answer, that can be known only once the request is here (RFC 9112, 9.5).
        """
        if self.transport.is_closing():
            return
        if _is_idle(self) and self._may_be_asking():
            self.loop.call_later(_LOOK_SECONDS, self.shutdown)
        else:
            super().shutdown()

    def _may_be_asking(self) -> bool:
        has_asked = self.cycle is not None
        is_new = not has_asked and self.loop.time() - self._came < self.first_word_seconds
        return is_new or self._has_begun_a_head() or has_something(self.transport.get_extra_info("socket").fileno())

    def _has_begun_a_head(self) -> bool:
        return self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

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
        if not self._has_begun_a_head() or self.transport.is_closing():
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
