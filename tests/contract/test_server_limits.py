"""What happens at the limits: bodies, queues, callers that leave, and what the metrics say of each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from plimsoll_server.engine.process_memory import private_bytes
from plimsoll_server.scheduler.text_memory import BYTES_PER_TEXT_BYTE
from server_builders import random_model, server_config
from server_process import IDENTITY, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

_NUMBERS = count(100_000)
SLOW: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 1024,
    "num_hidden_layers": 8,
    "max_position_embeddings": 2048,
}
MEBIBYTE = 1 << 20


def a_long_text() -> str:
    """2,000 tokens of a model slow enough that others must wait for it. No two are the same: one would run."""
    return f"{next(_NUMBERS)}" + "x" * 1994


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One sequence of the long tier takes some hundred milliseconds, and only one may run."""
    folder = random_model(tmp_path_factory.mktemp("slow"), **SLOW)
    tiers = [
        {"name": "short", "maxTokens": 32, "concurrency": 4, "safeConcurrency": 4},
        {"name": "long", "maxTokens": 2048, "concurrency": 2, "safeConcurrency": 1},
    ]
    with pytest.MonkeyPatch.context() as patched:
        # What waits is told soon enough to be waited for.
        patched.setattr("plimsoll_server.serve._PUBLISH_SECONDS", 0.02)
        async with serving(server_config(folder, tiers=tiers), PLIMSOLL_MAX_BODY_BYTES=str(MEBIBYTE)) as ready:
            yield ready


Samples = Mapping[tuple[str, ...], float]


async def until(server: Server, told: Callable[[Samples], bool]) -> Samples:
    """The server's metrics once they tell that."""
    async with asyncio.timeout(60):
        while not told(samples := await server.metrics()):  # noqa: ASYNC110  a page says nothing by itself
            await asyncio.sleep(0.01)
    return samples


async def stream(total: int, part: int = 65536) -> AsyncIterator[bytes]:
    for _ in range(total // part):
        yield b" " * part


async def test_what_may_be_remembered_is_no_room_for_batches_nor_for_texts(tmp_path: Path) -> None:
    config = server_config(random_model(tmp_path))
    limit, cache = 1 << 40, 1 << 38

    async def room(promised: int) -> tuple[int, int]:
        told = {"PLIMSOLL_MEMORY_LIMIT_BYTES": str(limit), "PLIMSOLL_CACHE_BYTES": str(promised)}
        async with serving(config, trust=None, PLIMSOLL_MAX_TEXT_BYTES=str(limit), **told) as server:
            info = (await server.client.get("/info")).json()
            measured = info["load_line"]["measured"]
            metrics = await server.metrics()
        assert measured["promised"] == promised
        assert metrics["plimsoll_device_memory_bytes", "limit"] == limit, "the container's, not the plan"
        assert metrics["plimsoll_device_memory_bytes", "planned"] == limit * 85 // 100
        return measured["room"], info["request_limits"]["text_bytes"] * BYTES_PER_TEXT_BYTE

    (for_batches, for_a_text), (less, less_for_a_text) = await room(0), await room(cache)
    assert for_batches - less == pytest.approx(cache, rel=0.01)
    assert for_a_text - less_for_a_text == pytest.approx(cache, rel=0.01)


async def test_fifty_megabytes_are_refused_by_their_declared_length(server: Server) -> None:
    response = await server.client.post(
        "/predict", content=b" " * (50 * MEBIBYTE), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 413
    assert f"larger than {MEBIBYTE} bytes (PLIMSOLL_MAX_BODY_BYTES)" in response.json()["error"]
    assert response.headers["connection"] == "close"


async def test_fifty_megabytes_without_a_declared_length_are_refused_and_never_held(server: Server) -> None:
    before = private_bytes()
    response = await server.client.post("/predict", content=stream(50 * MEBIBYTE))
    assert response.status_code == 413
    assert private_bytes() - before < 20 * MEBIBYTE


async def test_a_caller_that_waits_for_permission_need_not_send_anything(server: Server) -> None:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(
        b"POST /predict HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        b"Content-Length: 52428800\r\nExpect: 100-continue\r\n\r\n"
    )
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 413")


async def test_a_full_tier_answers_429_and_serves_all_that_it_took(server: Server) -> None:
    before = await server.metrics()
    responses = await asyncio.gather(*(server.predict(a_long_text()) for _ in range(16)))
    by_status = {status: [r for r in responses if r.status_code == status] for status in (200, 429)}
    assert len(by_status[200]) + len(by_status[429]) == 16
    assert len(by_status[200]) >= 4, "a full queue is still served"
    for refused in by_status[429]:
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["error_type"] == "Overloaded"
        assert "tier long is full" in refused.json()["error"]
        assert "1 run at once" in refused.json()["error"], "the load line, not what was configured"
    assert by_status[429], "sixteen at once exceed a queue of four"
    after = await server.metrics()
    name = "plimsoll_requests_total"
    assert after[name, "long", "ok"] - before[name, "long", "ok"] == len(by_status[200])
    assert after[name, "long", "rejected"] - before[name, "long", "rejected"] == len(by_status[429])


async def test_a_full_long_tier_leaves_the_short_one_open(server: Server) -> None:
    longs = [asyncio.create_task(server.predict(a_long_text())) for _ in range(4)]
    await asyncio.sleep(0.1)
    assert (await server.predict("sea")).status_code == 200
    assert not all(task.done() for task in longs)
    await asyncio.gather(*longs)


async def test_a_short_text_is_answered_while_a_long_one_runs(server: Server) -> None:
    """Not after it: between two of its layers."""
    long = asyncio.create_task(server.predict(a_long_text()))
    await asyncio.sleep(0.05)
    assert (await server.predict("harbour")).status_code == 200
    assert not long.done()
    assert (await long).status_code == 200


async def test_callers_that_disconnect_are_not_run(server: Server) -> None:
    """Three wait behind two others and leave: two batches run, not five."""
    batches, queue = ("plimsoll_batches_total", "long"), ("plimsoll_queue_tokens", "long")
    cancelled = "plimsoll_requests_total", "none", "cancelled"
    before = await until(server, lambda samples: samples[queue] == 0)
    staying = [asyncio.create_task(server.predict(a_long_text())) for _ in range(2)]
    one = (await until(server, lambda samples: samples[queue] > 0))[queue]
    async with httpx.AsyncClient(base_url=server.client.base_url) as leaving:
        waiting = [asyncio.create_task(leaving.post("/predict", json={"inputs": a_long_text()})) for _ in range(3)]
        # Four wait, or three behind the second one.
        await until(server, lambda samples: samples[queue] / one + samples[batches] - before[batches] > 3.5)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert [(await each).status_code for each in staying] == [200, 200]
    after = await until(server, lambda samples: samples[cancelled] - before[cancelled] == 3 and samples[queue] == 0)
    assert after[batches] - before[batches] == 2


async def test_saturation_rises_above_the_load_line_under_load_and_the_load_line_is_told(server: Server) -> None:
    tasks = [asyncio.create_task(server.predict(a_long_text())) for _ in range(5)]
    await asyncio.sleep(1.2)
    metrics = await server.metrics()
    await asyncio.gather(*tasks)
    assert metrics["plimsoll_saturation_ratio",] > 0
    assert metrics["plimsoll_load_line_concurrency", "long"] == 1
    assert metrics["plimsoll_load_line_concurrency", "short"] == 4
    assert metrics["plimsoll_device_memory_bytes", "used"] > 100 * MEBIBYTE


async def test_every_series_tells_which_replica_of_what_it_is_of(server: Server) -> None:
    port = server.variables["PLIMSOLL_METRICS_PORT"]
    text = (await server.client.get(f"http://127.0.0.1:{port}/metrics")).text
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    for label, value in (
        ("inference_namespace", IDENTITY["POD_NAMESPACE"]),
        ("inference_deployment", IDENTITY["PLIMSOLL_DEPLOYMENT"]),
        ("revision", IDENTITY["PLIMSOLL_REVISION"]),
        ("replica", IDENTITY["POD_NAME"]),
    ):
        assert all(f'{label}="{value}"' in sample for sample in samples)


async def test_counters_exist_before_their_first_event(server: Server) -> None:
    """A series that appears together with its first failure hides that failure from rate()."""
    metrics = await server.metrics()
    assert metrics["plimsoll_oom_total", "long"] == 0
    assert metrics["plimsoll_requests_total", "long", "oom"] == 0


async def test_other_paths_and_methods_are_refused_in_the_same_shape(server: Server) -> None:
    for response in (await server.client.get("/nowhere"), await server.client.get("/predict")):
        assert response.status_code in (404, 405)
        assert set(response.json()) == {"error", "error_type"}


async def test_the_deadline_of_a_request_is_a_setting(tmp_path: Path) -> None:
    config = server_config(random_model(tmp_path, **SLOW), tiers=[{"name": "long", "maxTokens": 2048}])
    async with serving(config, PLIMSOLL_REQUEST_DEADLINE_SECONDS="0.1") as hurried:
        responses = await asyncio.gather(*(hurried.predict(a_long_text()) for _ in range(4)))
    late = [response for response in responses if response.status_code == 504]
    assert late
    assert all(json.loads(response.text)["error_type"] == "Timeout" for response in late)
    assert all(response.headers["retry-after"] for response in late)
