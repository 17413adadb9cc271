"""A connection, and when it has grown old.

uvicorn's protocol over h11. Its other one, over llhttp, is faster, but stops reading where a request offers to upgrade:
the body is lost of each first request by a Java client, which offers HTTP/2 unless told otherwise.
"""

from __future__ import annotations

import random
import time
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from plimsoll_server.api.bounded_connection import BoundedConnection

PART_AT = "connection_part_at"
"""Key in a request's state: when its connection is old, on the monotonic clock."""

MAX_CONNECTIONS = BoundedConnection.at_most
"""At once, where the process may have as many files open."""

_JITTER = 0.2


def some_age(max_age: float) -> float:
    """More or less a fifth: connections that were made together shall not end together."""
    return max_age * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  nothing secret


def aging_protocol(max_age: float, most: int) -> type[H11Protocol]:
    """One object per connection, with a time to part in the state of each request. `max_age` is in seconds, `most` is
    of connections at once."""

    class AgingProtocol(BoundedConnection):
        at_most = most

        def __init__(self, *, app_state: dict[str, Any], **options: Any) -> None:
            super().__init__(app_state={**app_state, PART_AT: time.monotonic() + some_age(max_age)}, **options)

    return AgingProtocol
