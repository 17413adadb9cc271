"""How often each caller came of late at all the pods together, counted in a Redis."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from limits import parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from plimsoll_server.api.rate_limit import AwayError
from plimsoll_server.renewed_file import FileError

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 0.25
"""A request waits no longer for the count: it is there to protect the service, not to stop it."""
_LEFT_ALONE_SECONDS = 5.0
"""After it failed."""
_PREFIX = "plimsoll:rate"


@dataclass(frozen=True)
class _Connected:
    limiter: SlidingWindowCounterRateLimiter
    pool: ConnectionPool


class SharedRates:
    def __init__(self, limit: str, url: Callable[[], str], deployment: str, failed: Callable[[], None]) -> None:
        """`limit` such as 100/minute. `url` is asked before each first connection: what it says may change.
        `deployment` is whose callers these are, since one Redis may serve many."""
        self._limit = parse(limit)
        self._url = url
        self._deployment = deployment
        self._failed = failed
        self._connected: _Connected | None = None
        self._next_try = 0.0

    async def wait_for(self, caller: str) -> float | None:
        """None when a request of `caller` is admitted, else the seconds until one may be. Raises AwayError."""
        if time.monotonic() < self._next_try:
            raise AwayError
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._ask(caller)
        except (StorageError, OSError, FileError) as error:
            # Its kind alone: a client's own words may hold parts of the address. What a silence ended says nothing.
            kind = error if isinstance(error, TimeoutError) else error.__cause__ or error
            await self._went_away(type(kind).__name__)
            raise AwayError from None

    async def close(self) -> None:
        connected, self._connected = self._connected, None
        if connected is not None:
            await connected.pool.disconnect()

    async def _ask(self, caller: str) -> float | None:
        if self._connected is None:
            self._connected = _connect(self._url())
        limiter = self._connected.limiter
        if await limiter.hit(self._limit, self._deployment, caller):
            return None
        stats = await limiter.get_window_stats(self._limit, self._deployment, caller)
        return max(1.0, stats.reset_time - time.time())

    async def _went_away(self, why: str) -> None:
        # Several requests may have waited for the same silence.
        if time.monotonic() >= self._next_try:
            log.warning("the Redis that counts requests does not answer (%s): each pod counts for itself", why)
        self._next_try = time.monotonic() + _LEFT_ALONE_SECONDS
        self._failed()
        await self.close()


def _connect(url: str) -> _Connected:
    pool = ConnectionPool.from_url(
        url,
        socket_timeout=_PATIENCE_SECONDS,
        socket_connect_timeout=_PATIENCE_SECONDS,
        # A kept connection may have ended with the Redis it led to: once anew, and at once.
        retry=Retry(NoBackoff(), 1),
    )
    options: dict[str, Any] = {"connection_pool": pool}
    storage = RedisStorage(
        f"async+{url}", wrap_exceptions=True, implementation="redispy", key_prefix=_PREFIX, **options
    )
    return _Connected(SlidingWindowCounterRateLimiter(storage), pool)
