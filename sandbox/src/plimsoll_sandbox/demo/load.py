"""A bounded load on one Service: so many clients, so many seconds, each waiting for its answer before it asks again."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import aiohttp

REQUEST_TIMEOUT_SECONDS = 30
# A client that is told to come back later does, but not so late that the load stops.
LONGEST_PAUSE_SECONDS = 2.0


@dataclass
class LoadReport:
    """What the clients saw: answers by HTTP status (0: no answer) and the seconds of each that was served."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    def percentile(self, percent: int) -> float:
        """Seconds below which `percent` of the served requests stayed; 0 when none was served."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0


async def run_load(url: str, texts: Sequence[str], clients: int, seconds: float) -> LoadReport:
    """Send `texts` in turn to `url` from `clients` clients for `seconds`.

    Each has a number of its own at its end: what was asked before would be answered from memory, and be no load.
    """
    report, numbers = LoadReport(), itertools.count()
    end = time.monotonic() + seconds
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS)
    # A connection of its own for each request, so that new pods get their share at once.
    connector = aiohttp.TCPConnector(limit=clients, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
        for client in range(clients):
            group.create_task(_client(session, url, texts[client % len(texts)], numbers, end, report))
    return report


async def _client(
    session: aiohttp.ClientSession, url: str, text: str, numbers: Iterator[int], end: float, report: LoadReport
) -> None:
    while (started := time.monotonic()) < end:
        try:
            async with session.post(url, json={"inputs": f"{text} {next(numbers)}"}) as response:
                await response.read()
                report.statuses[response.status] += 1
                if response.ok:
                    report.latencies.append(time.monotonic() - started)
                    continue
                pause = min(float(response.headers.get("Retry-After", "1")), LONGEST_PAUSE_SECONDS)
        except (aiohttp.ClientError, TimeoutError):
            report.statuses[0] += 1
            pause = 0.5
        await asyncio.sleep(pause)
