"""Answers of many entities or numbers, written as any other and beside all that goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.responses import JSONResponse

from plimsoll_server.api import large_answers
from plimsoll_server.api.app import make_app
from plimsoll_server.api.large_answers import AnswersResponse, made_of
from plimsoll_server.api.state import Service
from plimsoll_server.config import parse_config
from plimsoll_server.lifecycle import Lifecycle
from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.entities import Entity
from plimsoll_server.telemetry import Identity, Telemetry
from plimsoll_server.types import Embedding
from scheduler_builders import INFO, TIERS, HeldEngine, scheduling
from server_builders import server_config
from standstill import standstill


def entities(number: int) -> list[dict[str, Any]]:
    return [{"label": "MÜLL", "score": 0.25, "start": place, "end": place + 1} for place in range(number)]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([], id="none"),
        pytest.param(entities(3), id="a few"),
        pytest.param(entities(5000), id="more than are written at once"),
        pytest.param([[], entities(2000), [], entities(1)], id="of several texts"),
        pytest.param([[]], id="of a text without any"),
        pytest.param([[0.25] * 3000, [1e-7, -0.0] * 700], id="vectors"),
        pytest.param({"data": [{"index": 0, "embedding": [0.5] * 2000}] * 3, "usage": {"é": None}}, id="an object"),
        pytest.param({"outputs": [{"shape": (2, 3), "data": [0.5] * 5000}]}, id="a tensor"),
        pytest.param({"data": [{"index": 0, "data": "AAA="}]}, id="vectors in base64"),
    ],
)
def test_an_answer_is_written_as_any_other_json(content: list[Any]) -> None:
    assert AnswersResponse(content).body == JSONResponse(content).body
    assert (
        bytes(AnswersResponse(content).body) == json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    )


def test_the_interpreter_goes_on_while_many_entities_are_written() -> None:
    content = entities(400_000)
    with standstill() as found:
        AnswersResponse(content)
    assert found.longest < found.whole / 4


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([[0.1] * 1000] * 100, id="vectors"),
        pytest.param([[0.1] * 100_000], id="a long vector"),
        pytest.param({"data": [{"index": 0, "embedding": [0.1] * 1000}] * 100}, id="vectors in objects"),
        pytest.param({"outputs": [{"name": "embedding", "data": [0.1] * 100_000}]}, id="a tensor"),
    ],
)
def test_no_more_than_a_thousand_numbers_are_written_at_once(monkeypatch: pytest.MonkeyPatch, content: Any) -> None:
    dumps, longest = json.dumps, 0

    def noted(part: Any, **options: Any) -> str:
        nonlocal longest
        written = dumps(part, **options)
        longest = max(longest, written.count("0.1"))
        return written

    monkeypatch.setattr(json, "dumps", noted)
    assert bytes(AnswersResponse(content).body).count(b"0.1") == 100_000
    assert longest <= 1024


@pytest.mark.parametrize(("each", "apart"), [(300, False), (700, True)], ids=["few", "many"])
async def test_many_entities_are_written_on_a_thread(tmp_path: Path, each: int, apart: bool) -> None:
    """Of two texts together."""
    answer = Answer(TIERS[0], 9, 1, 0, entities=(Entity("PER", 0.5, 0, 1),) * each)
    async with scheduling(tmp_path, HeldEngine()) as scheduler:
        wrote = await made_of([answer, answer], scheduler, threading.current_thread)
    assert (wrote is not threading.current_thread()) == apart


class Watched(tuple[float, ...]):
    """Tells the threads on which it is read."""

    def __init__(self, _: Iterable[float]) -> None:
        self.readers: list[threading.Thread] = []

    def __iter__(self) -> Iterator[float]:
        self.readers.append(threading.current_thread())
        return super().__iter__()


TEXTS = [f"sea{' ' * number}" for number in range(20)]
"""Each an embedding of 256 numbers."""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/embed", {"inputs": TEXTS}, id="text-embeddings-inference"),
        pytest.param("/", {"inputs": TEXTS}, id="the hub's pipelines"),
        pytest.param("/v1/embeddings", {"input": TEXTS}, id="OpenAI"),
        pytest.param("/pooling", {"input": TEXTS}, id="vLLM"),
        pytest.param("/pooling", {"input": TEXTS, "encoding_format": "base64"}, id="vLLM in base64"),
        pytest.param(
            "/v2/models/domains/infer",
            {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [20], "data": TEXTS}]},
            id="Open Inference Protocol",
        ),
    ],
)
@pytest.mark.parametrize("apart", [False, True], ids=["few", "many"])
async def test_many_vectors_are_put_to_length_1_and_written_on_a_thread_by_every_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any], apart: bool
) -> None:
    if not apart:
        monkeypatch.setattr(large_answers, "_NUMBERS_AT_ONCE", 20 * 256)
    vector = Watched((0.5,) * 256)
    engine = HeldEngine(answer=lambda tokens: Embedding(vector))
    engine.release()
    info = replace(INFO, task="feature-extraction", width=256)
    async with scheduling(tmp_path, engine, info=info) as scheduler:
        service = Service(parse_config(json.dumps(server_config("/models/domains"))), _serving(), scheduler)
        app = make_app(service, Telemetry(Identity("n", "d", "r", "p"), ["short"]), max_body_bytes=100_000)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pod") as client:
            answer = await client.post(path, json=body)
    assert answer.status_code == 200
    assert {thread is not threading.current_thread() for thread in vector.readers} == {apart}


def _serving() -> Lifecycle:
    lifecycle = Lifecycle()
    lifecycle.loaded()
    lifecycle.serving()
    return lifecycle
