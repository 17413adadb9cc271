"""OpenAI's /v1/embeddings and /v1/models, by the openai client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest

from embeddings_by_hand import embeddings_by_hand
from server_builders import CLS, SEP

TEXTS = ["near the sea", "the old harbour near the sea"]


@pytest.fixture
def client(embeddings_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{embeddings_url}/v1", api_key="not-asked-for", max_retries=0, timeout=60) as asked:
        yield asked


@pytest.mark.parametrize("form", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}], ids=str)
def test_embeddings_have_length_one_in_every_format(
    client: openai.OpenAI, embedding_folder: Path, form: dict[str, Any]
) -> None:
    plain = embeddings_by_hand(embedding_folder, TEXTS)
    response = client.embeddings.create(model="domains", input=TEXTS, **form)
    found = [entry.embedding for entry in response.data]
    if form.get("encoding_format") == "base64":
        found = [np.frombuffer(_decoded(vector), dtype="<f4").tolist() for vector in found]
    assert np.array(found) == pytest.approx(plain / np.linalg.norm(plain, axis=1, keepdims=True), abs=1e-5)
    assert [entry.index for entry in response.data] == [0, 1]
    assert response.model == "domains"


def _decoded(vector: Any) -> bytes:
    import base64

    assert isinstance(vector, str), "asked for base64, it stays as it came"
    return base64.b64decode(vector)


def test_one_text_counts_its_tokens(client: openai.OpenAI) -> None:
    response = client.embeddings.create(model="domains", input="x" * 20)
    assert (len(response.data), response.usage.prompt_tokens, response.usage.total_tokens) == (1, 22, 22)


@pytest.mark.parametrize("framed", [True, False])
def test_token_ids_are_read_as_they_are(client: openai.OpenAI, framed: bool) -> None:
    ids = [7, 8, 9]
    response = client.embeddings.create(model="domains", input=[[CLS, *ids, SEP] if framed else ids, [CLS, 9, SEP]])
    assert len(response.data) == 2
    assert response.usage.prompt_tokens == (5 if framed else 3) + 3


def test_a_cut_is_told_beside_the_usage(client: openai.OpenAI) -> None:
    """Only the server's policy cuts here: the protocol has no word for it."""
    response = client.embeddings.create(model="domains", input="x" * 900)
    assert response.usage.model_extra == {"truncated_tokens": 0}, "this one chunks"


def test_the_models_are_listed_with_their_length(client: openai.OpenAI) -> None:
    (card,) = client.models.list().data
    assert (card.id, card.owned_by) == ("domains", "plimsoll")
    assert card.model_extra is not None
    assert card.model_extra["max_model_len"] == 256
    assert client.models.retrieve("domains").id == "domains"


@pytest.mark.parametrize(
    ("asked", "error", "param", "code", "message"),
    [
        pytest.param({"model": "other"}, openai.NotFoundError, None, "model_not_found", "named domains", id="a model"),
        pytest.param(
            {"dimensions": 8}, openai.BadRequestError, "dimensions", "invalid_value", "dimensions", id="dimensions"
        ),
        pytest.param({"input": ""}, openai.BadRequestError, "input", "invalid_value", "text is empty", id="no text"),
        pytest.param({"input": ["x"] * 257}, openai.BadRequestError, "input", "invalid_value", "256", id="too many"),
        pytest.param(
            {"input": [[1, 10**9]]}, openai.BadRequestError, None, "invalid_value", "token ids run from 0", id="ids"
        ),
    ],
)
def test_what_is_not_served_is_refused_in_the_clients_own_words(
    client: openai.OpenAI,
    asked: dict[str, Any],
    error: type[openai.APIStatusError],
    param: str,
    code: str,
    message: str,
) -> None:
    with pytest.raises(error, match=message) as raised:
        client.embeddings.create(**{"model": "domains", "input": "near the sea", **asked})
    assert (raised.value.param, raised.value.code) == (param, code)


def test_a_model_for_another_task_says_where_to_ask(topics_url: str) -> None:
    with (
        openai.OpenAI(base_url=f"{topics_url}/v1", api_key="none", max_retries=0) as asked,
        pytest.raises(openai.BadRequestError, match="the model here does text-classification: ask at /predict"),
    ):
        asked.embeddings.create(model="domains", input="tides")


def test_too_long_a_wait_is_a_timeout_of_the_servers_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        client.embeddings.create(
            model="domains", input=["never asked " * 70] * 64, extra_headers={"X-Request-Timeout": "0.001"}
        )
    assert (raised.value.status_code, raised.value.code, raised.value.type) == (504, "request_timeout", "server_error")
