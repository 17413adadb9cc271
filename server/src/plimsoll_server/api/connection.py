"""A connection: when it has grown old, and how much of a request's head it takes.

uvicorn's protocol over llhttp; its other one, in Python, takes longer for a request than all that is done with it.
"""

from __future__ import annotations

import random
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PART_AT = "connection_part_at"
"""Key in a request's state: when its connection is old, on the monotonic clock."""

MAX_HEAD_BYTES = 65_536
"""Of a request line and its headers, after what of them arrives first."""

_JITTER = 0.2


def some_age(max_age: float) -> float:
    """More or less a fifth: connections that were made together shall not end together."""
    return max_age * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  nothing secret


def aging_protocol(max_age: float) -> type[HttpToolsProtocol]:
    """One object per connection, with a time to part in the state of each request. `max_age` is in seconds."""

    class AgingProtocol(HttpToolsProtocol):
        def __init__(self, *, app_state: dict[str, Any], **options: Any) -> None:
            super().__init__(app_state={**app_state, PART_AT: time.monotonic() + some_age(max_age)}, **options)
            self._messages = 0
            self._in_head = False
            self._head_bytes = 0

        def data_received(self, data: bytes) -> None:
            begun = self._messages
            super().data_received(data)
            # The parser keeps what it has of a head, and has no limit of its own.
            goes_on = self._in_head and self._messages == begun
            self._head_bytes = self._head_bytes + len(data) if goes_on else 0
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response(f"the head of the request has more than {MAX_HEAD_BYTES} bytes")

        def on_message_begin(self) -> None:
            self._messages += 1
            self._in_head = True
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._in_head = False
            super().on_headers_complete()

    return AgingProtocol
