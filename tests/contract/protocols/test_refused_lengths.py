"""A text that is too long, by every protocol that reads texts: each says so in its own shape, with limit and tier, or
cuts it where its caller would rather have that, and says so too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from server_builders import server_config, topic_model
from server_process import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = "tides " * 400


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    folder = topic_model(tmp_path_factory.mktemp("topics"))
    async with serving(server_config(folder, longInput={"policy": "Reject"})) as ready:
        yield ready


def in_error(body: Any) -> str:
    return str(body["error"])


def in_message(body: Any) -> str:
    return str(body["error"]["message"])


@pytest.mark.parametrize(
    ("path", "body", "status", "told", "cut"),
    [
        pytest.param("/predict", {"inputs": LONG}, 413, in_error, "truncate: true,", id="text-embeddings-inference"),
        pytest.param("/", {"inputs": LONG}, 413, in_error, "truncate: true,", id="the hub's pipelines"),
        pytest.param(
            "/classify", {"input": LONG}, 400, in_message, "truncate_prompt_tokens: -1,", id="vLLM's classify"
        ),
        pytest.param("/pooling", {"input": LONG}, 400, in_message, "truncate_prompt_tokens: -1,", id="vLLM's pooling"),
        pytest.param(
            "/v2/models/domains/infer",
            {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [LONG]}]},
            400,
            in_error,
            "truncate: true in parameters,",
            id="Open Inference Protocol",
        ),
        pytest.param("/infer", {"tokens": [1, *[4] * 400, 2]}, 413, in_error, None, id="token ids"),
    ],
)
async def test_a_text_too_long_is_refused_with_limit_and_tier_and_what_cuts_it_here(
    server: Server, path: str, body: dict[str, Any], status: int, told: Callable[[Any], str], cut: str | None
) -> None:
    before = (await server.metrics())["plimsoll_requests_total", "long", "too_long"]
    response = await server.client.post(path, json=body)
    assert response.status_code == status
    assert "402 tokens, at most 256 run in one pass here" in told(response.json())
    assert "tier long" in told(response.json())
    assert (f"; or send {cut} which cuts it" in told(response.json())) if cut else "send" not in told(response.json())
    after = (await server.metrics())["plimsoll_requests_total", "long", "too_long"]
    assert after - before == 1, "whatever the status, it is counted as what it is"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/predict", {"inputs": LONG, "truncate": True}, id="text-embeddings-inference"),
        pytest.param("/", {"inputs": LONG, "truncate": True}, id="the hub's pipelines"),
        pytest.param("/classify", {"input": LONG, "truncate_prompt_tokens": -1}, id="vLLM's classify"),
        pytest.param("/pooling", {"input": LONG, "truncate_prompt_tokens": -1}, id="vLLM's pooling"),
        pytest.param(
            "/v2/models/domains/infer",
            {
                "inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [LONG]}],
                "parameters": {"truncate": True},
            },
            id="Open Inference Protocol",
        ),
    ],
)
async def test_who_would_rather_have_a_cut_gets_it_and_is_told(server: Server, path: str, body: dict[str, Any]) -> None:
    response = await server.client.post(path, json=body)
    assert response.status_code == 200, response.text
    assert response.headers["x-plimsoll-truncated-tokens"] == str(402 - 256)


MANY = 100_000
"""Tokens; in chunks of 64 they are more than 1,024."""


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        pytest.param("/v1/embeddings", {"input": [4] * MANY}, 400, in_message, id="OpenAI's token ids"),
        pytest.param("/pooling", {"input": [[4] * MANY]}, 400, in_message, id="vLLM's token ids"),
        pytest.param("/embed", {"inputs": "sea " * MANY}, 413, in_error, id="a text of text-embeddings-inference"),
        pytest.param(
            "/v2/models/domains/infer",
            {"inputs": [{"name": "input_ids", "datatype": "INT64", "shape": [MANY], "data": [4] * MANY}]},
            400,
            in_error,
            id="a tensor of the Open Inference Protocol",
        ),
    ],
)
async def test_what_becomes_too_many_chunks_is_refused_with_how_much_is_not(
    embeddings_url: str, path: str, body: dict[str, Any], status: int, told: Callable[[Any], str]
) -> None:
    async with httpx.AsyncClient(base_url=embeddings_url, timeout=60) as client:
        response = await client.post(path, json=body)
    assert response.status_code == status, response.text
    assert "more than 1024 sequences once long texts are cut into chunks of 64 tokens" in told(response.json())
    assert "send at most " in told(response.json())
