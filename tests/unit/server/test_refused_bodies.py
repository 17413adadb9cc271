"""What is wrong with a body is told with its limit, by every protocol, before anything of the model is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi.exceptions import RequestValidationError
from starlette.types import ASGIApp

from plimsoll_server.api.app import make_app
from plimsoll_server.api.bodies import read_json
from plimsoll_server.api.embed import EmbedRequest
from plimsoll_server.api.open_inference.inputs import inputs_of
from plimsoll_server.api.open_inference.shapes import TensorRequest
from plimsoll_server.api.open_inference.tensors import read_tensors
from plimsoll_server.api.pipeline import PipelineParameters, _wants_logits
from plimsoll_server.api.state import Service
from plimsoll_server.config import parse_config
from plimsoll_server.lifecycle import Lifecycle
from plimsoll_server.scheduler.errors import InvalidInputError
from plimsoll_server.telemetry import Identity, Telemetry
from plimsoll_server.types import Activation
from scheduler_builders import INFO
from server_builders import server_config

TEXT = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}
ROWS = {"name": "input_ids", "datatype": "INT64"}
MEBIBYTE = 1 << 20
NINES = "9" * 4_200


def application() -> ASGIApp:
    config = parse_config(json.dumps(server_config("/models/domains")))
    return make_app(Service(config, Lifecycle()), Telemetry(Identity("n", "d", "r", "p"), ["short"]), MEBIBYTE)


async def ask(path: str, body: bytes, kind: str = "application/json", method: str = "POST") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application()), base_url="http://pod") as client:
        return await client.request(method, path, content=body, headers={"Content-Type": kind})


LOADING = "still loading"
"""So far comes what is read: there is no model."""


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        pytest.param("/predict", '{"inputs": [1, 1]}', "inputs", id="numbers for texts"),
        pytest.param("/predict", '{"inputs": [["a"], ["b", "c"]]}', "pairs of texts", id="a pair"),
        pytest.param("/classify", '{"input": ["a", 5]}', "input.1: Input should be a valid string", id="the second"),
        pytest.param("/classify", '{"input": [1, 2, "a"]}', "input.2: Input should be a valid integer", id="the third"),
        pytest.param("/v1/embeddings", f'{{"input": [1, {NINES}]}}', "less than or equal to 2147483647", id="an id"),
        pytest.param("/infer", f'{{"tokens": [[1], [-{NINES}]]}}', "greater than or equal to 0", id="a negative id"),
        pytest.param("/predict", '{"inputs": "a", "truncation_direction": "Left"}', "'right' or 'Right'", id="side"),
        pytest.param(
            "/", '{"inputs": "a", "truncation_direction": "Left"}', "'right' or 'Right'", id="pipelines, side"
        ),
        pytest.param(
            "/v1/embeddings", '{"input": "a", "truncate_prompt_tokens": 9}', "truncate_prompt_tokens", id="cut"
        ),
        pytest.param("/v1/embeddings", '{"input": "a", "truncate": "END"}', "truncate: not served", id="another's cut"),
        pytest.param("/v1/embeddings", '{"input": "a", "truncation_side": "left"}', "truncation_side", id="its side"),
        pytest.param("/v1/embeddings", '{"input": "a", "input_type": "query"}', "input_type: not served", id="kind"),
        pytest.param("/predict", '{"inputs": "a", "truncate": null, "raw_scores": null}', LOADING, id="null"),
        pytest.param("/embed", '{"inputs": "a", "normalize": null}', LOADING, id="null of a vector"),
        pytest.param("/infer", '{"tokens": [1], "batch_size": null}', LOADING, id="null of a batch"),
        pytest.param("/pooling", '{"input": "a", "encoding_format": null}', LOADING, id="null of a format"),
        pytest.param("/classify", '{"input": "a", "normalize": null}', LOADING, id="null of the past"),
    ],
)
async def test_a_body_is_refused_by_the_first_thing_that_is_wrong(path: str, body: str, told: str) -> None:
    response = await ask(path, body.encode())
    assert told in str(response.json()["error"]).replace('"', "'"), response.text
    assert len(response.text) < 500, "what was sent is not said again"


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        pytest.param({**ROWS, "shape": [2, 2], "data": [[1, 4, 5], [2]]}, "not in rows of the shape", id="ragged"),
        pytest.param({**ROWS, "shape": [4], "data": [[1, 4], [5, 2]]}, "not in rows of the shape", id="nested"),
        pytest.param({**ROWS, "shape": [1, 3], "data": [[1, 4], 2]}, "not in rows of the shape", id="half nested"),
        pytest.param({**ROWS, "shape": [1 << 20, 2], "data": []}, "at most 1048576 elements", id="a product"),
        pytest.param({**ROWS, "shape": [1, 2], "data": [1, 1 << 40]}, "token ids run from 0 to 2147483647", id="an id"),
        pytest.param({**ROWS, "shape": [1, 2], "data": [1, -5]}, "token ids run from 0", id="a negative id"),
        pytest.param({"name": "x" * 60, "datatype": "BYTES", "shape": [1], "data": ["a"]}, "found xxx", id="a name"),
    ],
)
def test_tensors_are_refused_within_their_bounds(tensor: dict[str, Any], told: str) -> None:
    given = read_json(TensorRequest, json.dumps({"inputs": [tensor]}).encode())
    with pytest.raises(InvalidInputError, match=told) as refused:
        inputs_of(read_tensors(given.inputs, b""))
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"inputs": [{**TEXT, "shape": [int(NINES), int(NINES)]}]}, id="shape"),
        pytest.param({"inputs": [TEXT], "parameters": {"timeout": int(NINES[:400])}}, id="timeout"),
    ],
)
def test_numbers_of_thousands_of_digits_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RequestValidationError) as refused:
        read_json(TensorRequest, json.dumps(fields).encode())
    assert [error["type"] for error in refused.value.errors()] == ["less_than_equal"]


def test_rows_that_are_nested_as_their_shape_says_are_read() -> None:
    tensor = {**ROWS, "shape": [2, 2], "data": [[1, 4], [5, 2]]}
    given = read_json(TensorRequest, json.dumps({"inputs": [tensor], "parameters": None}).encode())
    assert inputs_of(read_tensors(given.inputs, b"")) == [[1, 4], [5, 2]]


@pytest.mark.parametrize(
    ("activation", "told"),
    [(Activation.SOFTMAX, "scores are by softmax; ask for none"), (Activation.NONE, "plain numbers; ask for none")],
    ids=["of classes", "of a regression"],
)
def test_a_function_that_a_model_was_not_trained_with_is_refused(activation: Activation, told: str) -> None:
    with pytest.raises(InvalidInputError, match=told):
        _wants_logits(replace(INFO, activation=activation), PipelineParameters(function_to_apply="sigmoid"))


@pytest.mark.parametrize(("said", "read"), [(None, True), (True, True), (False, False)], ids=["null", "true", "false"])
def test_null_says_nothing_of_a_vectors_length(said: bool | None, read: bool) -> None:
    assert read_json(EmbedRequest, json.dumps({"inputs": "a", "normalize": said}).encode()).normalize is read


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("POST", "/predict/", 404, id="a slash too many"),
        pytest.param("POST", "/" + "x" * 3_000, 404, id="a long path"),
        pytest.param("X" * 3_000, "/predict", 405, id="a long method"),
        pytest.param("POST", "/v2/" + "x" * 3_000, 404, id="Open Inference Protocol"),
    ],
)
async def test_a_path_that_there_is_not_is_told_in_its_protocols_shape(method: str, path: str, status: int) -> None:
    response = await ask(path, b"{}", method=method)
    assert response.status_code == status
    assert "error" in response.json()
    assert len(response.text) < 300


async def test_a_name_of_a_field_is_told_by_its_beginning() -> None:
    response = await ask("/", json.dumps({"inputs": "a", "parameters": {"x" * 4_000: 1}}).encode())
    assert "not served here" in response.json()["error"]
    assert len(response.text) < 300


@pytest.mark.parametrize("path", ["/health", "/livez", "/readyz", "/startupz"])
async def test_a_probe_may_ask_for_the_head_alone(path: str) -> None:
    asked, head = [await ask(path, b"", method=method) for method in ("GET", "HEAD")]
    assert head.status_code == asked.status_code != 405
