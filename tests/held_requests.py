"""Clients that each have one request under way, whenever a test looks: a load that is a number."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp

HOLD_SECONDS = 1.0
PATIENCE_SECONDS = 60


@dataclass
class Load:
    """`clients` may be changed at any time."""

    url: str
    clients: int = 0
    answered: int = 0
    lost: list[str] = field(default_factory=list)
    """Requests that were not answered with 200. None is asked twice."""


@contextmanager
def held_requests(url: str) -> Iterator[Load]:
    """A load without clients, until the block ends. Each request goes over a connection of its own."""
    load = Load(f"{url}/hold?seconds={HOLD_SECONDS}")
    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_keep(load, stop)))
    thread.start()
    try:
        yield load
    finally:
        stop.set()
        thread.join(2 * PATIENCE_SECONDS)


async def _keep(load: Load, stop: threading.Event) -> None:
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        under_way: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            under_way = {task for task in under_way if not task.done()}
            under_way |= {asyncio.create_task(_ask(session, load)) for _ in range(load.clients - len(under_way))}
            await asyncio.sleep(0.02)
        await asyncio.gather(*under_way)


async def _ask(session: aiohttp.ClientSession, load: Load) -> None:
    try:
        async with session.get(load.url) as answer:
            await answer.text()
            if answer.status == 200:
                load.answered += 1
            else:
                load.lost.append(f"{time.strftime('%T')} {answer.status}")
    except (aiohttp.ClientError, TimeoutError) as error:
        load.lost.append(f"{time.strftime('%T')} {type(error).__name__} {error}")
