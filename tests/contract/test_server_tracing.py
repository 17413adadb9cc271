"""Spans of a request, as a collector gets them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from otlp_collector import Collector, collecting
from server_builders import server_config, topic_model
from server_process import environment, process, serving

PARTS = ("tokenise", "queue", "pack", "forward")
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{PARENT}-01"
TEXT = "tides and the harbour"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return topic_model(tmp_path / "model")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        yield found


async def test_a_request_is_told_in_its_callers_trace_with_where_its_time_went(
    folder: Path, collector: Collector
) -> None:
    async with serving(server_config(folder)) as server:
        before = time.time()
        answer = await server.client.post("/predict", json={"inputs": TEXT}, headers={"traceparent": SAMPLED})
        after = time.time()
        assert answer.status_code == 200
        spans = await asyncio.to_thread(collector.named, "POST /predict", *PARTS)
    whole = spans["POST /predict"]
    assert (whole.trace, whole.parent) == (TRACE, PARENT)
    assert whole.attributes == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "plimsoll.tier": "short",
    }
    assert before - 0.05 <= whole.seconds[0] <= whole.seconds[1] <= after + 0.05
    parts = [spans[name] for name in PARTS]
    assert {(part.trace, part.parent) for part in parts} == {(TRACE, whole.span)}
    assert [part.seconds[0] for part in parts] == sorted(part.seconds[0] for part in parts), "one after the other"
    for part in parts:
        assert whole.seconds[0] - 0.01 <= part.seconds[0] <= part.seconds[1] <= whole.seconds[1] + 0.01
    assert spans["pack"].attributes["plimsoll.sequences"] == 1
    assert spans["forward"].seconds[1] > spans["forward"].seconds[0]
    assert "harbour" not in repr(collector.spans), "no content"
    assert collector.resources[0]["service.name"] == "domains"
    assert collector.resources[0]["service.instance.id"] == "domains-1"


def test_the_last_spans_are_sent_before_the_process_ends(folder: Path, collector: Collector, tmp_path: Path) -> None:
    """And the line in the log names the trace."""
    variables = environment(
        server_config(folder),
        PLIMSOLL_ACCESS_LOG="true",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="60000",
    )
    with process(tmp_path, variables) as server:
        server.until_ready()
        httpx.post(f"{server.url}/predict", json={"inputs": TEXT}, headers={"traceparent": SAMPLED}, timeout=60)
        assert collector.spans == []
        server.terminate()
        assert server.ends_with(60) == 0
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert {span.trace for span in collector.spans} == {TRACE}
    [request] = [line for line in lines if line["message"] == "request"]
    assert request["trace_id"] == TRACE
