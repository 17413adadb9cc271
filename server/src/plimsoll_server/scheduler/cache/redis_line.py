"""A connection to Redis that may be given up while others still use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis.asyncio import Redis


class RedisLine:
    """Closed by the last who uses it after it was given up: closed under a command, that command would dial anew."""

    def __init__(self, url: str, patience_seconds: float) -> None:
        """Dials with the first command. Raises ValueError for an address that is none."""
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError as LostConnectionError

        self._redis: Redis = Redis.from_url(
            url,
            socket_timeout=patience_seconds,
            socket_connect_timeout=patience_seconds,
            # A kept connection may have ended with the Redis it led to: once anew, and at once.
            retry=Retry(NoBackoff(), 1, (LostConnectionError,)),
        )
        self._users = 0
        self._given_up = False

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[Redis]:
        self._users += 1
        try:
            yield self._redis
        finally:
            self._users -= 1
            await self._close_if_unused()

    async def give_up(self) -> None:
        self._given_up = True
        await self._close_if_unused()

    async def _close_if_unused(self) -> None:
        if self._given_up and not self._users:
            await self._redis.aclose()
