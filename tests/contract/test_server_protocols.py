"""/infer, /info, health and documentation against a running server."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tokenizers import Tokenizer

from server_builders import CLS, SEP, entity_model, server_config, topic_model
from server_process import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return topic_model(tmp_path_factory.mktemp("topics"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(topics: Path) -> AsyncIterator[Server]:
    async with serving(server_config(topics)) as ready:
        yield ready


def ids_of(folder: Path, word: str) -> list[int]:
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    return [CLS, vocabulary[word], SEP]


async def infer(server: Server, tokens: Any, **fields: Any) -> Any:
    return await server.client.post("/infer", json={"tokens": tokens, **fields})


async def test_infer_gives_the_probability_of_the_top_class_for_each_sequence(server: Server, topics: Path) -> None:
    tides, tyre = ids_of(topics, "tides"), ids_of(topics, "tyre")
    answer = (await infer(server, [tides, tyre, tides], batch_size=2)).json()
    by_text = (await server.predict([["tides"], ["tyre"], ["tides"]])).json()
    assert answer["predictions"] == pytest.approx([labels[0]["score"] for labels in by_text], abs=1e-6)
    assert answer["latency_ms"] > 0


async def test_infer_takes_one_list_of_tokens_as_well(server: Server, topics: Path) -> None:
    assert len((await infer(server, ids_of(topics, "tides"))).json()["predictions"]) == 1


async def test_a_long_list_of_tokens_is_chunked_like_a_text(server: Server, topics: Path) -> None:
    response = await infer(server, ids_of(topics, "tides") * 200)
    assert response.status_code == 200
    assert int(response.headers["x-plimsoll-chunks"]) > 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({"tokens": []}, "tokens", id="nothing"),
        pytest.param({"tokens": [[]]}, "tokens", id="an empty sequence"),
        pytest.param({"tokens": ["sea"]}, "tokens", id="words"),
        pytest.param({"tokens": [1.5]}, "tokens", id="fractions"),
        pytest.param({"tokens": [1, 10_000]}, "token ids run from 0 to", id="beyond the vocabulary"),
        pytest.param({"tokens": [-1]}, "tokens.0: Input should be greater than or equal to 0", id="negative"),
        pytest.param({"tokens": [1], "batch_size": 0}, "batch_size", id="a batch of none"),
        pytest.param({"tokens": [1], "batch_size": 33}, "batch_size", id="a batch of 33"),
        pytest.param({"batch_size": 1}, "tokens: Field required", id="no tokens"),
    ],
)
async def test_bad_tokens_are_refused_with_the_reason(server: Server, body: dict[str, Any], message: str) -> None:
    response = await server.client.post("/infer", json=body)
    assert response.status_code == 422
    assert message in response.json()["error"]


async def test_info_tells_what_is_served_and_within_which_limits(server: Server, topics: Path) -> None:
    info = (await server.client.get("/info")).json()
    assert info["model_id"] == str(topics)
    assert info["model_type"]["classifier"]["id2label"] == {"0": "sea", "1": "land"}
    assert (info["model_dtype"], info["attention"], info["device"]) == ("float32", "sdpa", "cpu")
    assert (info["window"], info["max_input_length"], info["max_client_batch_size"]) == (1024, 256, 256)
    assert info["request_limits"] == {
        "inputs": 256,
        "sequences": 1024,
        "token_ids": 1 << 20,
        "text_bytes": 1 << 20,
        "entities": 1 << 18,
    }
    assert info["tiers"][0] == {"name": "short", "max_tokens": 32, "concurrency": 8, "running_limit": 8}
    assert info["long_input"]["policy"] == "Auto"
    assert info["version"]


TEXT_EMBEDDINGS_INFERENCE: dict[str, type | tuple[type, ...]] = {
    "model_id": str,
    "model_sha": (str, type(None)),
    "model_dtype": str,
    "model_type": dict,
    "max_concurrent_requests": int,
    "max_input_length": int,
    "max_batch_tokens": int,
    "max_batch_requests": (int, type(None)),
    "max_client_batch_size": int,
    "auto_truncate": bool,
    "tokenization_workers": int,
    "version": str,
    "sha": (str, type(None)),
    "docker_label": (str, type(None)),
}
"""The fields of its /info: a typed client needs each of them, also those that are null."""


async def test_info_has_every_field_of_text_embeddings_inference_with_numbers_that_hold(topics: Path) -> None:
    before = _tokenising_threads()
    async with serving(server_config(topics, longInput={"policy": "Truncate"})) as server:
        info = (await server.client.get("/info")).json()
        threads = _tokenising_threads() - before
    assert all(isinstance(info[name], kind) for name, kind in TEXT_EMBEDDINGS_INFERENCE.items()), info
    safe = [(tier["running_limit"], tier["max_tokens"]) for tier in info["tiers"]]
    assert info["max_batch_tokens"] == max(min(32, count) * tokens for count, tokens in safe)
    assert info["max_batch_requests"] == max(count for count, _ in safe)
    assert info["max_concurrent_requests"] == sum(64 + count for count, _ in safe), "64 may wait in each of few"
    assert info["auto_truncate"] is True
    assert info["tokenization_workers"] == len(threads)


def _tokenising_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("tokenise")}


async def test_info_of_a_token_classifier_says_that_spans_are_united(tmp_path: Path) -> None:
    config = server_config(entity_model(tmp_path), model={"task": "token-classification"})
    async with serving(config) as tagging:
        info = (await tagging.client.get("/info")).json()
        response = await infer(tagging, [CLS, SEP])
    assert info["long_input"]["aggregation"] == "Union"
    assert "token_classifier" in info["model_type"]
    assert (response.status_code, "ask at /predict" in response.text) == (422, True)


async def test_health_counts_the_seconds(server: Server) -> None:
    health = (await server.client.get("/health")).json()
    assert health["status"] == "ok"
    assert health["uptime"] > 0


async def test_probes_answer(server: Server) -> None:
    for path, status in (("/livez", "alive"), ("/readyz", "ready")):
        response = await server.client.get(path)
        assert (response.status_code, response.json()) == (200, {"status": status})


async def test_the_documentation_names_every_protocol(server: Server) -> None:
    assert (await server.client.get("/docs")).status_code == 200
    schema = (await server.client.get("/openapi.json")).json()
    assert {"/predict", "/infer", "/info", "/health", "/startupz", "/livez", "/readyz"} <= set(schema["paths"])
    assert "429" in schema["paths"]["/predict"]["post"]["responses"]
