"""A client in a process of its own that asks so many times a second and never asks twice.

It waits for nobody, unless as many requests are under way as it may have at once.

Every other request goes over a new connection, the rest over connections that are kept, each in its turn. One
line of JSON is written for each answer, and for each that never came. What to do is read from the first line of its
standard input, and from each further one how many requests may be under way from then on; it ends when that does, with
the requests under way answered.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import aiohttp

PATIENCE_SECONDS = 60
"""For one answer: slow is not lost."""
LAST_ANSWERS_SECONDS = PATIENCE_SECONDS
KEPT_CONNECTIONS = 8


@dataclass
class Client:
    """Never repeats a request: aiohttp repeats none that is POSTed, and nothing here does."""

    url: str
    bodies: list[Any]
    rate: float
    at_once: int
    out: IO[str]
    idle: deque[aiohttp.ClientSession] = field(default_factory=deque)
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def ask_until(self, end: asyncio.Event) -> None:
        self.idle = deque(_session(kept=True) for _ in range(KEPT_CONNECTIONS))
        all_kept = tuple(self.idle)
        bodies = itertools.cycle(random.Random(1).sample(self.bodies, len(self.bodies)))
        async with _session(kept=False) as fresh:
            await self._steadily(fresh, bodies, end)
            if self.under_way:
                await asyncio.wait(self.under_way, timeout=LAST_ANSWERS_SECONDS)
        for session in all_kept:
            await session.close()

    async def _steadily(self, fresh: aiohttp.ClientSession, bodies: Iterator[Any], end: asyncio.Event) -> None:
        began = time.monotonic()
        for number in itertools.count(1):
            while len(self.under_way) >= self.at_once:
                await asyncio.wait(self.under_way, return_when=asyncio.FIRST_COMPLETED)
            self._send(fresh, never_asked(next(bodies), number), may_keep=bool(number % 2))
            await asyncio.sleep(max(0.0, began + number / self.rate - time.monotonic()))
            if end.is_set():
                return

    def _send(self, fresh: aiohttp.ClientSession, body: Any, *, may_keep: bool) -> None:
        kept = self.idle.popleft() if may_keep and self.idle else None
        task = asyncio.create_task(self._ask(kept or fresh, body, kept))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def _ask(self, session: aiohttp.ClientSession, body: Any, kept: aiohttp.ClientSession | None) -> None:
        record: dict[str, Any] = {"asked": time.time(), "kept": kept is not None}
        try:
            async with session.post(self.url, json=body) as answer:
                text = await answer.text()
                record |= {
                    "status": answer.status,
                    "revision": answer.headers.get("plimsoll-revision", ""),
                    "replica": answer.headers.get("plimsoll-replica", ""),
                    "error": "" if answer.status == 200 else text[:300],
                }
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            record |= {"status": 0, "error": f"{type(error).__name__} {error}"}
        self.out.write(json.dumps(record | {"answered": time.time()}) + "\n")
        self.out.flush()
        if kept is not None:
            self.idle.append(kept)


def never_asked(body: Any, number: int) -> Any:
    """The body with a number at the end of each text: a text that was asked before is answered from memory."""
    inputs = body["inputs"]
    if isinstance(inputs, str):
        return body | {"inputs": f"{inputs} {number}"}
    return body | {"inputs": [[f"{text} {number}{place or ''}"] for place, [text] in enumerate(inputs)]}


def _session(*, kept: bool) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=1 if kept else 0, force_close=not kept)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS))


async def main() -> None:
    order = json.loads(sys.stdin.readline())
    end = asyncio.Event()
    with Path(order["out"]).open("w", encoding="utf-8") as out:  # noqa: ASYNC230  one open of a local file
        client = Client(order["url"], order["bodies"], order["rate"], order["at_once"], out)
        async with asyncio.TaskGroup() as group:
            group.create_task(_obey(client, end))
            group.create_task(client.ask_until(end))


async def _obey(client: Client, end: asyncio.Event) -> None:
    """Until the file ends, which comes with the death of the parent at the latest."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        client.at_once = json.loads(line)
    end.set()


if __name__ == "__main__":
    asyncio.run(main())
