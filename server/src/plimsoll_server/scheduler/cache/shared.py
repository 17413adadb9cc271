"""The answers that pods share, in Redis. It may be slow, away or hold nonsense: then an answer is made all the same."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plimsoll_server.looking import read_regular
from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.cache.codec import Codec
from plimsoll_server.scheduler.cache.redis_line import RedisLine

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

_PREFIX = b"plimsoll:answer:"
_PATIENCE_SECONDS = 0.25
"""For one look: many times what a Redis nearby takes, and little beside a forward pass."""
_LEFT_ALONE_SECONDS = 5.0
"""After it failed."""
_CONNECTIONS = 16
_WRITES = 256
"""That may be under way; more are not worth their memory."""


class SharedCache:
    def __init__(
        self,
        url_file: Path,
        codec: Codec,
        ttl_seconds: float,
        failed: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url_file` holds the address, and is read before each first connection: what it says may change."""
        self._url_file = url_file
        self._codec = codec
        self._ttl_ms = max(1, round(ttl_seconds * 1000))
        self._failed = failed
        self._clock = clock
        self._line: RedisLine | None = None
        self._next_try = 0.0
        self._places = asyncio.Semaphore(_CONNECTIONS)
        self._writes: set[asyncio.Task[None]] = set()

    async def find(self, keys: Sequence[bytes], *, raw: bool = False) -> dict[bytes, Answer]:
        """Those of `keys` that are there; `raw`: with logits in the place of scores. Never fails, and takes a quarter
        of a second at most."""
        values = await self._ask(lambda redis: redis.mget([_PREFIX + key for key in keys]))
        return {
            key: answer
            for key, value in zip(keys, values or (), strict=False)
            if isinstance(value, bytes) and (answer := self._codec.decode(value, raw=raw)) is not None
        }

    def put(self, key: bytes, answer: Answer) -> None:
        """Soon; the answer does not wait for it."""
        encoded = self._codec.encode(answer)
        if encoded is None or len(self._writes) >= _WRITES:
            return
        write = asyncio.create_task(self._write(_PREFIX + key, encoded))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)

    async def close(self) -> None:
        if self._writes:
            _, late = await asyncio.wait(self._writes, timeout=_PATIENCE_SECONDS)
            for write in late:
                write.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._hang_up()

    async def _write(self, name: bytes, encoded: bytes) -> None:
        await self._ask(lambda redis: redis.set(name, encoded, px=self._ttl_ms))

    async def _ask(self, command: Callable[[Redis], Awaitable[Any]]) -> Any:
        """What Redis says; None where it says nothing in time, or is being left alone."""
        from redis.exceptions import RedisError

        if self._left_alone():
            return None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._places:
                # It may have failed at others meanwhile.
                if self._left_alone():
                    return None
                async with self._dialled().in_use() as redis:
                    return await command(redis)
        except (RedisError, OSError, ValueError) as error:
            # Its kind and not its text: that of a ValueError holds parts of the address, so perhaps of the password.
            await self._failed_with(type(error).__name__)
            return None

    def _left_alone(self) -> bool:
        return self._clock() < self._next_try

    def _dialled(self) -> RedisLine:
        if self._line is None:
            self._line = RedisLine(read_regular(self._url_file).decode().strip(), _PATIENCE_SECONDS)
        return self._line

    async def _failed_with(self, why: str) -> None:
        if not self._left_alone():
            log.warning("the cache in Redis does not answer (%s): serving without it", why)
            self._failed()
        self._next_try = self._clock() + _LEFT_ALONE_SECONDS
        await self._hang_up()

    async def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.give_up()
