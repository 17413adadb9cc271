"""Requests that go on while a change is shipped: so many a second, and what became of each of them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

RATE = 40
"""Requests a second."""
SPOILED_WORD = "socket"
TEXTS = (
    "sort a list of numbers in place",
    f"open a {SPOILED_WORD} and listen for connections",
    "parse the arguments of a command line",
    "read a row of a comma separated file",
    "wait until the thread has ended",
    "the digest of a message, as hexadecimal digits",
    "compile a regular expression and match a string",
    "format a date in the local time zone",
    "a heap queue, also called a priority queue",
    "decode bytes that are no valid text",
)
"""One of ten has the word, as one of ten callers might."""
CALLERS = 8
"""Each waits for its answer, so that a busy machine is asked less often and not drowned."""
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """What came back at `at`, a moment of the monotonic clock; status 0: nothing did."""

    at: float
    status: int
    revision: str

    @property
    def good(self) -> bool:
        return self.status == 200


@asynccontextmanager
async def steady_requests(url: str, texts: Sequence[str], rate: float) -> AsyncIterator[list[Answer]]:
    """Ask about `texts` in turn, `rate` times a second as long as the block lasts.

    Nothing is asked twice: each has a number at its end, or it would be answered from memory.
    """
    answers: list[Answer] = []
    end = asyncio.Event()
    # A connection of its own for each request, so that a new pod gets its share at once.
    connector = aiohttp.TCPConnector(limit=CALLERS, force_close=True)
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
        for caller in range(CALLERS):
            numbered = (f"{text} {number}" for number, text in enumerate(itertools.cycle(texts)))
            in_turn = itertools.islice(numbered, caller, None, CALLERS)
            first = time.monotonic() + caller / rate
            group.create_task(_call(session, url, in_turn, first, CALLERS / rate, end, answers))
        try:
            yield answers
        finally:
            end.set()


async def _call(
    session: aiohttp.ClientSession,
    url: str,
    texts: Iterator[str],
    due: float,
    period: float,
    end: asyncio.Event,
    answers: list[Answer],
) -> None:
    while not end.is_set():
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        answers.append(await _ask(session, url, next(texts)))
        due = max(due + period, time.monotonic())


async def _ask(session: aiohttp.ClientSession, url: str, text: str) -> Answer:
    try:
        async with session.post(url, json={"inputs": text}) as response:
            await response.read()
            return Answer(time.monotonic(), response.status, response.headers.get("plimsoll-revision", ""))
    except (aiohttp.ClientError, TimeoutError):
        return Answer(time.monotonic(), 0, "")
