"""vLLM's /classify and /pooling, as its documentation and its own examples send and read them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from embeddings_by_hand import embeddings_by_hand
from server_builders import CLS, SEP


def post(url: str, path: str, body: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{url}{path}", json=body, timeout=60)


def model_of(url: str) -> str:
    """As vLLM's examples find it out."""
    name: str = httpx.get(f"{url}/v1/models", timeout=60).json()["data"][0]["id"]
    return name


def test_texts_are_classified(topics_url: str) -> None:
    body = {"model": model_of(topics_url), "input": ["tides", "gearbox and tyre"], "request_id": "mine"}
    answer = post(topics_url, "/classify", body).json()
    assert (answer["id"], answer["object"], answer["model"]) == ("classify-mine", "list", "domains")
    assert [(item["index"], item["label"], item["num_classes"]) for item in answer["data"]] == [
        (0, "sea", 2),
        (1, "land", 2),
    ]
    assert [sum(item["probs"]) for item in answer["data"]] == pytest.approx([1, 1])
    assert answer["usage"] == {"prompt_tokens": 8, "total_tokens": 8, "truncated_tokens": 0}


def test_token_ids_are_classified_like_their_text(topics_url: str) -> None:
    known = post(topics_url, "/classify", {"input": "tides"}).json()["data"][0]["probs"]
    found = post(topics_url, "/classify", {"input": [[CLS, token, SEP] for token in range(4, 10)]}).json()["data"]
    assert any(item["probs"] == pytest.approx(known) for item in found)


def test_logits_come_without_the_activation(topics_url: str) -> None:
    logits = post(topics_url, "/classify", {"input": "tides", "use_activation": False}).json()["data"][0]["probs"]
    probabilities = post(topics_url, "/classify", {"input": "tides"}).json()["data"][0]["probs"]
    weights = np.exp(logits)
    assert probabilities == pytest.approx(list(weights / weights.sum()), abs=1e-6)


def test_a_cut_is_asked_for_and_counted(topics_url: str) -> None:
    answer = post(topics_url, "/classify", {"input": "tides " * 400, "truncate_prompt_tokens": -1})
    assert answer.json()["usage"] == {"prompt_tokens": 256, "total_tokens": 256, "truncated_tokens": 146}
    assert answer.headers["x-plimsoll-truncated-tokens"] == "146"


def test_probabilities_are_pooled(topics_url: str) -> None:
    probabilities = post(topics_url, "/classify", {"input": "tides"}).json()["data"][0]["probs"]
    answer = post(topics_url, "/pooling", {"input": "tides", "task": "classify"}).json()
    assert answer["id"].startswith("pool-")
    assert answer["data"] == [{"index": 0, "object": "pooling", "data": pytest.approx(probabilities)}]


@pytest.mark.parametrize("form", ["float", "base64"])
def test_embeddings_are_pooled(embeddings_url: str, embedding_folder: Path, form: str) -> None:
    texts = ["near the sea", "harbour"]
    plain = embeddings_by_hand(embedding_folder, texts)
    body = {"input": texts, "encoding_format": form}
    found = [item["data"] for item in post(embeddings_url, "/pooling", body).json()["data"]]
    if form == "base64":
        found = [np.frombuffer(base64.b64decode(vector), dtype="<f4") for vector in found]
    assert np.array(found) == pytest.approx(plain / np.linalg.norm(plain, axis=1, keepdims=True), abs=1e-5)
    raw = post(embeddings_url, "/pooling", {"input": texts, "use_activation": False}).json()["data"]
    assert np.array([item["data"] for item in raw]) == pytest.approx(plain, abs=1e-4)


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        pytest.param("/classify", {"model": "other"}, 404, "the one that is served here is named domains", id="model"),
        pytest.param("/classify", {"truncate_prompt_tokens": 10}, 400, "truncate_prompt_tokens", id="another cut"),
        pytest.param("/classify", {"add_special_tokens": False}, 400, "add_special_tokens", id="bare texts"),
        pytest.param("/classify", {"normalize": True}, 400, "normalize: not served: use_activation", id="old name"),
        pytest.param("/pooling", {"task": "embed"}, 400, "task: the model here does classify", id="another task"),
        pytest.param(
            "/pooling", {"dimensions": 4}, 400, "dimensions: not served: a vector is as long", id="dimensions"
        ),
        pytest.param(
            "/classify",
            {"input": None},
            400,
            "input: Input should be a valid string, or: Input should be a valid array",
            id="neither of its types",
        ),
        pytest.param("/classify", {"input": [[1], []]}, 400, "input.1: the list is empty", id="no token"),
        pytest.param("/pooling", {"input": []}, 400, "input", id="nothing"),
    ],
)
def test_what_is_not_served_is_refused_in_vllms_shape(
    topics_url: str, path: str, body: dict[str, Any], status: int, message: str
) -> None:
    response = post(topics_url, path, {"input": "tides", **body})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, status)
    assert error["type"] == ("NotFoundError" if status == 404 else "BadRequestError")
    assert message in error["message"]


def test_entities_have_no_place_in_these_shapes(entities_url: str) -> None:
    for path in ("/classify", "/pooling"):
        response = post(entities_url, path, {"input": "Ada Lovelace"})
        assert response.status_code == 400
        assert "ask at /predict" in response.json()["error"]["message"]
