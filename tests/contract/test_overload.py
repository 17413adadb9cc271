"""A server that is offered four times what it carries safely, under a memory limit that kills: it stays above its load
line. It answers, refuses, or says that a text does not fit; nothing else happens, and nothing of it stays behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import httpx
import pytest

from memory_watch import MemoryWatch, killed_above
from overload import Scores, answers_alone, by_status, mixed, offer, texts
from overload_figures import Idle, Outcome, write_figures
from server_builders import random_model, server_config
from server_process import Server, environment, process

MEBIBYTE = 1 << 20
AMPLE = 6 << 30
PLANNED_PERCENT = 85
"""Of a limit, by default."""
SAFE_LOADS = 4
SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "global_attn_every_n_layers": 2,
    "local_attention": 128,
    "max_position_embeddings": 32_768,
}
"""One global layer and one local: all kinds that there are, and less than a million weights."""
TIERS = [
    {"name": "short", "maxTokens": 512, "concurrency": 32},
    {"name": "medium", "maxTokens": 4_096, "concurrency": 32},
    {"name": "long", "maxTokens": 32_768, "concurrency": 8},
]
"""More at once than the memory carries, so that the measured line counts."""


@dataclass(frozen=True)
class Load:
    """`lengths`: how many different texts there are of each; `weights`: how often each is asked."""

    lengths: Mapping[int, int]
    weights: Mapping[int, float]
    rounds: int
    requests_per_round: int
    room_tokens: int
    """That the memory holds: less than the tiers would run at once."""


SMALL = Load(
    lengths={64: 20, 256: 20, 512: 10, 1_024: 6, 4_096: 3},
    weights={64: 30, 256: 30, 512: 20, 1_024: 15, 4_096: 5},
    rounds=3,
    requests_per_round=60,
    room_tokens=6_000,
)
FULL = Load(
    lengths={64: 200, 256: 200, 512: 100, 1_024: 60, 2_048: 30, 4_096: 15, 8_192: 6, 16_384: 3, 32_768: 2},
    weights={64: 20, 256: 20, 512: 20, 1_024: 15, 2_048: 10, 4_096: 7, 8_192: 4, 16_384: 2, 32_768: 1},
    rounds=10,
    requests_per_round=200,
    room_tokens=40_000,
)


@dataclass
class Subject:
    """A server under its watch."""

    server: Server
    watch: MemoryWatch

    async def idle(self) -> Idle:
        unused = (await self.server.metrics())["plimsoll_device_memory_bytes", "unused"]
        return Idle(self.watch.now(), int(unused))

    async def load_line(self) -> dict[str, Any]:
        line: dict[str, Any] = (await self.server.client.get("/info")).json()["load_line"]
        return line


@dataclass(frozen=True)
class Calm:
    """What a server with memory to spare says."""

    expected: Mapping[str, Scores]
    limit: int
    """Under which the same server would have the room that was asked for."""


@asynccontextmanager
async def subject(folder: Path, limit: int) -> AsyncIterator[Subject]:
    model = folder / "model"
    if not model.exists():
        random_model(model, **SHAPE)
    config = server_config(model, tiers=TIERS, longInput={"policy": "Native"})
    told = environment(
        config,
        PLIMSOLL_MEMORY_LIMIT_BYTES=str(limit),
        PLIMSOLL_CACHE_BYTES="0",
        PLIMSOLL_REQUEST_DEADLINE_SECONDS="3000",
    )
    with process(folder, told) as started, killed_above(limit, started.process.pid) as watch:
        await asyncio.to_thread(started.until_ready)
        connections = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=started.url, limits=connections, timeout=600) as client:
            yield Subject(Server(told, client), watch)
        started.terminate()
        assert started.ends_with(600) == 0, started.log.read_text()[-2000:]


async def calm(folder: Path, load: Load) -> Calm:
    async with subject(folder, AMPLE) as under:
        measured = (await under.load_line())["measured"]
        wanted = measured["bytes_per_token"] * load.room_tokens + measured["bytes_per_batch"]
        limit = AMPLE - (measured["room"] - wanted) * 100 // PLANNED_PERCENT
        return Calm(await answers_alone(under.server.client, texts(load.lengths)), limit)


async def overloaded(under: Subject, load: Load, expected: Mapping[str, Scores]) -> Outcome:
    """Offers the server four times what it carries safely, round after round."""
    line = await under.load_line()
    outcome = Outcome(under.watch.limit, line["tokens"], line["measured"]["bytes_per_token"])
    pool = texts(load.lengths)
    began = time.monotonic()
    for number in range(load.rounds):
        asked = mixed(pool, load.weights, load.requests_per_round, seed=number)
        outcome.replies += await offer(under.server.client, asked, expected, SAFE_LOADS * outcome.safe_tokens)
        outcome.idle.append(await under.idle())
    outcome.seconds = time.monotonic() - began
    outcome.highest = under.watch.highest
    metrics = await under.server.metrics()
    outcome.out_of_memory = int(sum(value for name, value in metrics.items() if name[0] == "plimsoll_oom_total"))
    outcome.factor = (await under.load_line())["factor"]
    return outcome


def hold_what_was_promised(outcome: Outcome, load: Load) -> None:
    counts = by_status(outcome.replies)
    assert sum(counts.values()) == load.rounds * load.requests_per_round, "every request is answered"
    assert counts.keys() <= {200, 429, 503}
    assert counts[200] > 0
    without_room = [reply for reply in outcome.replies if reply.status == 503]
    assert all(reply.tokens > load.room_tokens for reply in without_room), "only what does not fit at all"
    assert not [reply for reply in outcome.replies if reply.wrong]
    assert all(reply.told_to_wait for reply in outcome.replies if reply.status == 429)
    assert outcome.highest <= outcome.limit


def hold_memory_flat(outcome: Outcome) -> None:
    """The last three rounds beside those in the middle: by then every buffer and cache has its size."""
    middle, last = outcome.idle[-7:-4], outcome.idle[-3:]
    assert mean(idle.used for idle in last) - mean(idle.used for idle in middle) < 16 * MEBIBYTE
    assert mean(idle.unused for idle in last) - mean(idle.unused for idle in middle) < 8 * MEBIBYTE, "in pieces"


@pytest.mark.parametrize(
    "load", [pytest.param(SMALL, id="in short"), pytest.param(FULL, id="2,000 requests", marks=pytest.mark.thorough)]
)
@pytest.mark.timeout(7200)
async def test_an_overloaded_server_answers_or_refuses_and_lives(tmp_path: Path, load: Load) -> None:
    peaceful = await calm(tmp_path, load)
    async with subject(tmp_path, peaceful.limit) as under:
        outcome = await overloaded(under, load, peaceful.expected)
    if load is FULL:
        write_figures("line as measured", outcome)
        hold_memory_flat(outcome)
    hold_what_was_promised(outcome, load)
    assert outcome.out_of_memory == 0, "nothing is short below the load line"
