"""The Open Inference Protocol, by tritonclient: health, metadata, and tensors as JSON and as bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from embeddings_by_hand import embeddings_by_hand
from server_builders import CLS, PAD, SEP


@contextmanager
def client(url: str) -> Iterator[Any]:
    asked = InferenceServerClient(url.removeprefix("http://"), network_timeout=60, connection_timeout=60)
    try:
        yield asked
    finally:
        asked.close()


def texts(*given: str, binary: bool = True) -> list[InferInput]:
    tensor = InferInput("text", [len(given)], "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode() for text in given], dtype=np.object_), binary_data=binary)
    return [tensor]


def integers(name: str, rows: list[list[int]], binary: bool = True) -> InferInput:
    numbers = np.array(rows, dtype=np.int64)
    tensor = InferInput(name, list(numbers.shape), "INT64")
    tensor.set_data_from_numpy(numbers, binary_data=binary)
    return tensor


def test_server_and_model_are_live_ready_and_described(topics_url: str) -> None:
    with client(topics_url) as asked:
        assert asked.is_server_live()
        assert asked.is_server_ready()
        assert asked.is_model_ready("domains")
        assert asked.is_model_ready("domains", "1")
        assert not asked.is_model_ready("other")
        assert "binary_tensor_data" in asked.get_server_metadata()["extensions"]
        described = asked.get_model_metadata("domains")
    assert (described["name"], described["versions"]) == ("domains", ["1"])
    assert described["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert described["outputs"] == [
        {"name": "scores", "datatype": "FP32", "shape": [-1, 2]},
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
    ]


@pytest.mark.parametrize("binary_in", [True, False], ids=["bytes in", "JSON in"])
@pytest.mark.parametrize("binary_out", [True, False], ids=["bytes out", "JSON out"])
def test_texts_are_classified(topics_url: str, binary_in: bool, binary_out: bool) -> None:
    outputs = [InferRequestedOutput(name, binary_data=binary_out) for name in ("label", "scores")]
    with client(topics_url) as asked:
        result = asked.infer("domains", texts("tides", "gearbox", binary=binary_in), outputs=outputs, request_id="7")
    assert [bytes(label) if binary_out else label.encode() for label in result.as_numpy("label")] == [b"sea", b"land"]
    assert result.as_numpy("scores").sum(axis=1) == pytest.approx([1, 1])
    assert (result.get_response()["id"], result.get_response()["model_name"]) == ("7", "domains")


def test_the_answer_tells_how_each_text_was_read(topics_url: str) -> None:
    """The client keeps no headers, so it stands in the body as well."""
    with client(topics_url) as asked:
        result = asked.infer("domains", texts("tides", "tides " * 400), parameters={"truncate": True})
    assert result.get_response()["parameters"] == {
        "tier": "short,long",
        "tokens": "3,256",
        "chunks": "1,1",
        "truncated_tokens": "0,146",
    }


def test_of_many_texts_too_each_one_has_its_place(topics_url: str) -> None:
    """The headers have none for so many."""
    with client(topics_url) as asked:
        result = asked.infer("domains", texts(*("tides " * (1 + number % 3) for number in range(200))))
    told = result.get_response()["parameters"]
    assert told["tokens"] == ",".join(str(3 + number % 3) for number in range(200))
    assert told["tier"] == ",".join(["short"] * 200)


@pytest.mark.parametrize("binary", [True, False])
def test_padded_token_ids_are_read_without_their_padding(topics_url: str, binary: bool) -> None:
    ids = integers("input_ids", [[CLS, 5, SEP, PAD], [CLS, 5, 6, SEP]], binary)
    mask = integers("attention_mask", [[1, 1, 1, 0], [1, 1, 1, 1]], binary)
    with client(topics_url) as asked:
        padded = asked.infer("domains", [ids, mask])
        alone = asked.infer("domains", [integers("input_ids", [[CLS, 5, SEP]])])
    assert padded.get_response()["parameters"]["tokens"] == "3,4"
    assert padded.as_numpy("scores")[:1] == pytest.approx(alone.as_numpy("scores"), abs=1e-6)


def test_embeddings_are_rows(embeddings_url: str, embedding_folder: Path) -> None:
    given = ["near the sea", "harbour"]
    plain = embeddings_by_hand(embedding_folder, given)
    with client(embeddings_url) as asked:
        unit = asked.infer("domains", texts(*given)).as_numpy("embedding")
        raw = asked.infer("domains", texts(*given), parameters={"normalize": False}).as_numpy("embedding")
    assert unit.dtype == np.float32
    assert unit == pytest.approx(plain / np.linalg.norm(plain, axis=1, keepdims=True), abs=1e-5)
    assert raw == pytest.approx(plain, abs=1e-4)


def test_entities_are_json_for_each_text(entities_url: str) -> None:
    given = "the old Ada Lovelace was near Paris"
    with client(entities_url) as asked:
        found = [json.loads(element) for element in asked.infer("domains", texts(given, "the")).as_numpy("entities")]
    assert [(entity["label"], given[entity["start"] : entity["end"]]) for entity in found[0]] == [
        ("PER", "Ada Lovelace"),
        ("LOC", "Paris"),
    ]
    assert found[1] == []


@pytest.mark.parametrize(
    ("model", "inputs", "options", "status", "message"),
    [
        pytest.param("other", texts("x"), {}, "404", "no such model", id="model"),
        pytest.param("domains", texts("x"), {"model_version": "2"}, "404", "no such version", id="version"),
        pytest.param("domains", [integers("text", [[1]])], {}, "400", "inputs are either text", id="no text"),
        pytest.param("domains", [integers("ids", [[1]])], {}, "400", "found ids", id="another name"),
        pytest.param(
            "domains", texts("x"), {"outputs": [InferRequestedOutput("logits")]}, "400", "scores, label", id="output"
        ),
        pytest.param(
            "domains",
            texts("x"),
            {"outputs": [InferRequestedOutput("scores", class_count=1)]},
            "400",
            "classification",
            id="an extension that is not served",
        ),
        pytest.param("domains", texts(""), {}, "400", "empty", id="an empty text"),
        pytest.param(
            "domains", texts("x"), {"request_compression_algorithm": "gzip"}, "415", "compressed", id="compressed"
        ),
    ],
)
def test_what_cannot_be_inferred_is_refused(
    topics_url: str, model: str, inputs: list[InferInput], options: dict[str, Any], status: str, message: str
) -> None:
    with client(topics_url) as asked, pytest.raises(InferenceServerException, match=message) as raised:
        asked.infer(model, inputs, **options)
    assert raised.value.status() == status


TEXT = {"name": "text", "datatype": "BYTES", "shape": [1]}


@pytest.mark.parametrize(
    ("tensor", "behind", "message"),
    [
        pytest.param({**TEXT, "data": ["a", "b"]}, b"", "holds 1 elements, found 2", id="shape"),
        pytest.param({**TEXT, "data": [1]}, b"", "element 0 of data is no string", id="type"),
        pytest.param(
            {**TEXT, "parameters": {"binary_data_size": 9}}, b"\1\0\0\0x", "does not fit the 5 bytes", id="size"
        ),
        pytest.param(
            {**TEXT, "parameters": {"binary_data_size": 5}}, b"\xff\0\0\0x", "end within an element", id="length"
        ),
        pytest.param({**TEXT, "parameters": {"binary_data_size": 2}}, b"\1\0", "end within the length", id="short"),
        pytest.param(
            {**TEXT, "parameters": {"binary_data_size": 5}}, b"\1\0\0\0\xff", "element 0 is not UTF-8", id="encoding"
        ),
        pytest.param({**TEXT, "data": ["a"]}, b"xyz", "3 bytes behind the JSON belong to no input", id="left over"),
        pytest.param(
            {"name": "input_ids", "datatype": "INT64", "shape": [1], "parameters": {"binary_data_size": 7}},
            b"1234567",
            "no whole number of INT64",
            id="part of a number",
        ),
        pytest.param({**TEXT, "datatype": "FP32", "data": [1.5]}, b"", "datatype BYTES or one of", id="datatype"),
        pytest.param({**TEXT, "data": ["\ud800"]}, b"", "not JSON", id="half a character"),
    ],
)
def test_tensors_that_do_not_add_up_are_refused_with_the_reason(
    topics_url: str, tensor: dict[str, Any], behind: bytes, message: str
) -> None:
    head = json.dumps({"inputs": [tensor]}).encode()
    response = httpx.post(
        f"{topics_url}/v2/models/domains/infer",
        content=head + behind,
        headers={"Inference-Header-Content-Length": str(len(head))},
        timeout=60,
    )
    assert response.status_code == 400
    assert message in response.json()["error"]
    assert set(response.json()) == {"error"}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        pytest.param({}, 200, id="nothing, as the client's blocking half"),
        pytest.param({"Content-Type": "application/octet-stream"}, 200, id="bytes, as its other half"),
        pytest.param({"Content-Type": "text/plain"}, 400, id="a text, as any page can send it"),
    ],
)
def test_json_is_read_under_no_other_name(topics_url: str, kind: dict[str, str], status: int) -> None:
    body = json.dumps({"inputs": [{**TEXT, "data": ["tides"]}]}).encode()
    response = httpx.post(f"{topics_url}/v2/models/domains/infer", content=body, headers=kind, timeout=60)
    assert response.status_code == status, response.text


def test_a_wrong_field_is_told_with_no_advice_that_does_not_help(topics_url: str) -> None:
    body = json.dumps({"inputs": [{**TEXT, "shape": [1, 2, 3], "data": ["tides"]}]}).encode()
    response = httpx.post(f"{topics_url}/v2/models/domains/infer", content=body, timeout=60)
    assert response.json() == {"error": "inputs.0.shape: 3 entries, at most 2 are read"}


def test_more_json_than_there_is_body_is_refused(topics_url: str) -> None:
    response = httpx.post(
        f"{topics_url}/v2/models/domains/infer", content=b"{}", headers={"Inference-Header-Content-Length": "9"}
    )
    assert (response.status_code, "says 9 bytes, and the body has 2" in response.json()["error"]) == (400, True)
