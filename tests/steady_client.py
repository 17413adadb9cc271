"""A client that asks so many times a second, waits for nobody and never asks twice: what it loses is lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

PATIENCE_SECONDS = 60
"""For one answer: slow is not lost."""


@dataclass
class Answers:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    """Requests that got no answer, or another than 200, each with when and why."""

    @property
    def count(self) -> int:
        return sum(self.statuses.values())


@contextmanager
def steady_requests(url: str, rate: int, body: Any = None, *, keep_alive: bool = False) -> Iterator[Answers]:
    """POST `body`, or GET without one, `rate` times a second until the block ends.

    Each goes over a connection of its own, or over one that an earlier request has left. The answers to those under way
    are waited for.
    """
    answers = Answers()
    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_ask(url, rate, body, answers, stop, keep_alive)))
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join(2 * PATIENCE_SECONDS)


async def _ask(url: str, rate: int, body: Any, answers: Answers, stop: threading.Event, keep_alive: bool) -> None:
    began = time.monotonic()
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    connector = aiohttp.TCPConnector(limit=0, force_close=not keep_alive)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
        number = 0
        while not stop.is_set():
            group.create_task(_ask_once(session, url, body, answers, began))
            number += 1
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))


async def _ask_once(session: aiohttp.ClientSession, url: str, body: Any, answers: Answers, began: float) -> None:
    method = "GET" if body is None else "POST"
    asked = time.monotonic() - began
    try:
        async with session.request(method, url, json=body) as answer:
            text = await answer.text()
            answers.statuses[answer.status] += 1
            if answer.status != 200:
                answers.lost.append(f"{asked:.1f} s: {answer.status} {text[:200]}")
    except (aiohttp.ClientError, TimeoutError) as error:
        answers.statuses[0] += 1
        answers.lost.append(f"{asked:.1f} s: {type(error).__name__} {error}")
