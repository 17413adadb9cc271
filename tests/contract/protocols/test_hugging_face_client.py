"""text-embeddings-inference's paths and the hub's pipelines, by huggingface_hub's own client."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from embeddings_by_hand import embeddings_by_hand
from server_builders import server_config
from server_process import serving

NAMES = "the old Ada  Lovelace was near Paris"


def client(url: str, path: str = "") -> InferenceClient:
    return InferenceClient(url + path, provider="hf-inference", token="not-asked-for", timeout=60)


def test_a_text_is_classified_with_all_its_labels(topics_url: str) -> None:
    found = client(topics_url).text_classification("the tides near the old harbour")
    assert [element.label for element in found] == ["sea", "land"]
    assert sum(element.score for element in found) == pytest.approx(1)
    only = client(topics_url).text_classification("gearbox and tyre", top_k=1)
    assert [element.label for element in only] == ["land"]


def test_logits_come_when_no_function_is_applied(topics_url: str) -> None:
    scores = client(topics_url).text_classification("tides", function_to_apply="softmax")
    logits = client(topics_url).text_classification("tides", function_to_apply="none")
    weights = np.exp([element.score for element in logits])
    assert [element.score for element in scores] == pytest.approx(list(weights / weights.sum()), abs=1e-6)


def test_another_function_than_the_models_is_refused(topics_url: str) -> None:
    with pytest.raises(HfHubHTTPError, match="this model's scores are by softmax"):
        client(topics_url).text_classification("tides", function_to_apply="sigmoid")


def test_entities_come_with_their_words(entities_url: str) -> None:
    found = client(entities_url).token_classification(NAMES, aggregation_strategy="simple")
    assert [(entity.entity_group, entity.word, NAMES[entity.start : entity.end]) for entity in found] == [
        ("PER", "Ada  Lovelace", "Ada  Lovelace"),
        ("LOC", "Paris", "Paris"),
    ]
    without = client(entities_url).token_classification(NAMES, ignore_labels=["PER"])
    assert [entity.word for entity in without] == ["Paris"]


def test_an_aggregation_that_is_not_served_is_refused_by_name(entities_url: str) -> None:
    with pytest.raises(HfHubHTTPError, match="aggregation_strategy"):
        client(entities_url).token_classification(NAMES, aggregation_strategy="max")


@pytest.mark.parametrize("path", ["", "/embed"])
def test_features_are_normalised_means_unless_told_otherwise(
    embeddings_url: str, embedding_folder: Path, path: str
) -> None:
    texts = ["near the sea", "the old harbour near the sea"]
    plain = embeddings_by_hand(embedding_folder, texts)
    unit = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    asked = client(embeddings_url, path)
    assert asked.feature_extraction(texts[0]) == pytest.approx(unit[:1], abs=1e-5)
    assert asked.feature_extraction(texts, normalize=True) == pytest.approx(unit, abs=1e-5)
    assert asked.feature_extraction(texts[1], normalize=False) == pytest.approx(plain[1:], abs=1e-4)


def test_a_long_text_is_the_mean_of_its_chunks(embeddings_url: str) -> None:
    vector = client(embeddings_url, "/embed").feature_extraction("near the sea " * 60)
    assert np.linalg.norm(vector) == pytest.approx(1)


@pytest.mark.parametrize("asked", [{"dimensions": 8}, {"prompt_name": "query"}, {"truncation_direction": "left"}])
def test_what_would_change_a_vector_and_is_not_served_is_refused_by_name(
    embeddings_url: str, asked: dict[str, object]
) -> None:
    with pytest.raises(HfHubHTTPError, match=next(iter(asked))):
        client(embeddings_url, "/embed").feature_extraction("near the sea", **asked)  # type: ignore[arg-type]


async def test_a_cut_in_the_place_of_a_refusal_is_told_in_a_header(embedding_folder: Path) -> None:
    config = server_config(embedding_folder, model={"task": "feature-extraction"}, longInput={"policy": "Native"})
    async with serving(config) as server:
        response = await server.client.post("/embed", json={"inputs": "x" * 900, "truncate": True})
    assert response.headers["x-plimsoll-truncated-tokens"] == str(902 - 256)


def test_what_chunks_read_whole_is_not_cut(embeddings_url: str) -> None:
    response = httpx.post(f"{embeddings_url}/embed", json={"inputs": "x" * 900, "truncate": True}, timeout=60)
    assert response.headers["x-plimsoll-truncated-tokens"] == "0"
    assert int(response.headers["x-plimsoll-chunks"]) > 1


def test_predict_answers_the_client_in_its_own_shape(topics_url: str) -> None:
    """Of one text it reads but the first label of that shape: the hub's pipelines at / tell all."""
    element = client(topics_url, "/predict").text_classification("the tides")
    assert (element.label, element.score > 0.5) == ("sea", True)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/predict", "ask at /embed, /v1/embeddings, /pooling or /v2", id="predict"),
        pytest.param("/infer", "ask at /embed", id="infer"),
    ],
)
def test_a_path_for_another_task_names_the_right_ones(embeddings_url: str, path: str, expected: str) -> None:
    response = httpx.post(f"{embeddings_url}{path}", json={"inputs": "sea", "tokens": [1]}, timeout=60)
    assert response.status_code == 422
    assert expected in response.json()["error"]
    assert response.json()["error_type"] == "Validation"


def test_the_client_finds_the_server_well_and_what_it_serves(entities_url: str) -> None:
    assert client(entities_url).health_check()
    assert client(entities_url).get_endpoint_info()["task"] == "token-classification"


def test_a_parameter_of_another_server_is_refused_by_name(topics_url: str) -> None:
    body = {"inputs": "tides", "parameters": {"truncation": True}}
    response = httpx.post(topics_url, json=body, timeout=60)
    assert (response.status_code, response.json()["error"]) == (
        422,
        "parameters.truncation: not served here; leave it out",
    )


def test_info_is_that_of_text_embeddings_inference_and_more(embeddings_url: str, entities_url: str) -> None:
    embeddings, entities = (httpx.get(f"{url}/info", timeout=60).json() for url in (embeddings_url, entities_url))
    assert embeddings["model_type"] == {"embedding": {"pooling": "mean"}}
    assert (embeddings["width"], embeddings["long_input"]["aggregation"]) == (32, "Mean")
    assert entities["model_type"]["token_classifier"]["id2label"]["1"] == "B-PER"
