"""A server that is offered more than it carries, of texts of all lengths and in little memory: it stays below its
ceiling, and once it is left alone it answers as before."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import httpx

from memory_watch import killed_above
from server_builders import random_model, server_config
from server_process import environment, process

MEBIBYTE = 1 << 20
LIMIT = 640 * MEBIBYTE
"""A bare server takes more than two thirds of it."""
CEILING = LIMIT * 95 // 100
REQUESTS, AT_ONCE = 300, 60
WORDS = ("socket", "thread", "lock", "file", "read", "number", "text", "queue", "server", "👩‍👩‍👧", "é", "ﷺ")
TIERS = [
    {"name": "short", "maxTokens": 128, "concurrency": 64},
    {"name": "long", "maxTokens": 1024, "concurrency": 64},
]
GROWTH = 64 * MEBIBYTE
"""Of a server that has met texts of many lengths, one by one: kernels, buffers, and a cache of a megabyte. It came to
250 with a kernel kept for each length."""


async def overload(client: httpx.AsyncClient) -> list[int]:
    """The status of each of many texts."""
    draw = random.Random(7)

    async def ask(words: int) -> int:
        text = " ".join(draw.choices(WORDS, k=words))
        return (await client.post("/predict", json={"inputs": text})).status_code

    return await asyncio.gather(*(ask(draw.choice((5, 60, 200, 400, 900, 3000))) for _ in range(REQUESTS)))


async def answered_again(client: httpx.AsyncClient) -> list[int]:
    """The status of short texts, some seconds after the load."""
    await asyncio.sleep(5)
    return [(await client.post("/predict", json={"inputs": f"queue {number}"})).status_code for number in range(8)]


def variables(folder: Path) -> dict[str, str]:
    model = random_model(folder / "model", hidden_size=128, intermediate_size=192, num_hidden_layers=4)
    config = server_config(model, tiers=TIERS, longInput={"chunkTokens": 1024, "overlapTokens": 128})
    return environment(config, PLIMSOLL_MEMORY_LIMIT_BYTES=str(LIMIT), PLIMSOLL_CACHE_BYTES="1000000")


async def test_an_overload_leaves_a_server_in_little_memory_below_its_ceiling_and_well(tmp_path: Path) -> None:
    with process(tmp_path, variables(tmp_path)) as server, killed_above(CEILING, server.process.pid) as watch:
        await asyncio.to_thread(server.until_ready)
        connections = httpx.Limits(max_connections=AT_ONCE)
        async with httpx.AsyncClient(base_url=server.url, limits=connections, timeout=600) as client:
            under_load = await overload(client)
            after = await answered_again(client)
        server.terminate()
        assert server.ends_with(60) == 0, server.log.read_text()[-2000:]
    assert not watch.killed
    assert watch.highest > LIMIT // 2, "it was looked at"
    assert set(under_load) <= {200, 413, 429, 503}
    assert under_load.count(200) > 0
    assert after == [200] * 8, server.log.read_text()[-2000:]


async def test_texts_of_all_lengths_leave_little_behind(tmp_path: Path) -> None:
    with process(tmp_path, variables(tmp_path)) as server, killed_above(CEILING, server.process.pid) as watch:
        await asyncio.to_thread(server.until_ready)
        async with httpx.AsyncClient(base_url=server.url, timeout=600) as client:
            answered = [await ask_tokens(client, 64)]
            before = watch.now()
            answered += [await ask_tokens(client, length) for length in range(5, 1024, 5)]
        assert watch.now() - before < GROWTH
    assert set(answered) == {200}


async def ask_tokens(client: httpx.AsyncClient, length: int) -> int:
    inputs = {"tokens": [[4 + number % 200 for number in range(length)]]}
    return (await client.post("/infer", json=inputs)).status_code
