"""What a server tells of its load line, in /info and in its metrics: plan, measurement, and the lower of both."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from server_builders import random_model, server_config
from server_process import Server, environment, process

MEBIBYTE = 1 << 20
TIERS = [
    {"name": "short", "maxTokens": 512, "concurrency": 32, "safeConcurrency": 2},
    {"name": "long", "maxTokens": 8192, "concurrency": 4000},
]
"""Of one the plan grants little, of the other more is asked than any memory here carries."""


async def test_plan_and_measurement_are_told_and_the_lower_of_them_is_the_line(tmp_path: Path) -> None:
    model = random_model(tmp_path / "model", hidden_size=256, intermediate_size=768, max_position_embeddings=8192)
    told = environment(server_config(model, tiers=TIERS), PLIMSOLL_MEMORY_LIMIT_BYTES=str(1200 * MEBIBYTE))
    with process(tmp_path, told) as started:
        await asyncio.to_thread(started.until_ready)
        async with httpx.AsyncClient(base_url=started.url, timeout=60) as client:
            line = (await client.get("/info")).json()["load_line"]
            metrics = await Server(told, client).metrics()
    measured, (short, long) = line["measured"], line["tiers"]
    carried = (measured["room"] - measured["bytes_per_batch"]) // measured["bytes_per_token"]
    assert measured["bytes_per_token"] > 0
    assert measured["trials"]
    assert line["factor"] == 1
    # What a server has grown by since the measurement is none for batches.
    assert 0 < line["tokens"] <= carried
    assert (short["requested"], short["planned"], short["safe"]) == (32, 2, 2), "the plan is lower"
    assert short["measured"] == carried // 512
    assert (long["requested"], long["planned"], long["measured"]) == (4000, 4000, carried // 8192)
    assert long["safe"] == max(1, line["tokens"] // 8192), "the measurement is lower"
    assert metrics["plimsoll_bytes_per_token",] == measured["bytes_per_token"]
    assert metrics["plimsoll_load_line_factor",] == 1
    for tier, tokens in ((short, 512), (long, 8192)):
        concurrency = metrics["plimsoll_load_line_concurrency", tier["name"]]
        assert concurrency == pytest.approx(tier["safe"], abs=1), "a moment later"
        assert metrics["plimsoll_load_line_tokens", tier["name"]] == concurrency * tokens
