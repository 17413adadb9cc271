"""Each protocol's errors, in its own words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from plimsoll_server.api.error_shapes import error_response, shape_of
from plimsoll_server.api.openai_embeddings import EmbeddingsRequest
from plimsoll_server.api.problems import INVALID, OVERLOADED, PROBLEMS, TOO_LONG, Problem
from plimsoll_server.scheduler import errors
from plimsoll_server.scheduler.errors import RequestError


def written(path: str, problem: Problem) -> tuple[int, Any]:
    response = error_response(path, problem, "too much", retry_after=3, param="input")
    assert response.headers["retry-after"] == "3"
    return response.status_code, json.loads(bytes(response.body))


@pytest.mark.parametrize(
    ("path", "problem", "status", "body"),
    [
        pytest.param("/predict", INVALID, 422, {"error": "too much", "error_type": "Validation"}, id="tei"),
        pytest.param("/nowhere", OVERLOADED, 429, {"error": "too much", "error_type": "Overloaded"}, id="no protocol"),
        pytest.param(
            "/v1/embeddings",
            INVALID,
            400,
            {
                "error": {
                    "message": "too much",
                    "type": "invalid_request_error",
                    "param": "input",
                    "code": "invalid_value",
                }
            },
            id="OpenAI",
        ),
        pytest.param(
            "/v1/embeddings",
            OVERLOADED,
            429,
            {"error": {"message": "too much", "type": "rate_limit_error", "param": "input", "code": "overloaded"}},
            id="OpenAI, full",
        ),
        pytest.param(
            "/classify",
            TOO_LONG,
            400,
            {"error": {"message": "too much", "type": "BadRequestError", "param": "input", "code": 400}},
            id="vLLM",
        ),
        pytest.param(
            "/pooling",
            OVERLOADED,
            429,
            {"error": {"message": "too much", "type": "Too Many Requests", "param": "input", "code": 429}},
            id="vLLM, full",
        ),
        pytest.param("/v2/models/domains/infer", TOO_LONG, 400, {"error": "too much"}, id="Open Inference Protocol"),
        pytest.param("/v2extra", INVALID, 422, {"error": "too much", "error_type": "Validation"}, id="only alike"),
    ],
)
def test_an_error_has_the_shape_of_the_protocol_that_was_spoken(
    path: str, problem: Problem, status: int, body: dict[str, Any]
) -> None:
    assert written(path, problem) == (status, body)


def test_openais_callers_allow_a_cut_by_the_field_that_is_read_there() -> None:
    assert shape_of("/v1/embeddings").cut == "truncate_prompt_tokens: -1"
    assert EmbeddingsRequest(input="a", truncate_prompt_tokens=-1)
    with pytest.raises(ValidationError):
        EmbeddingsRequest.model_validate({"input": "a", "truncate": True})


def test_every_error_of_the_scheduler_is_a_known_problem() -> None:
    defined = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RequestError)}
    assert defined - {RequestError} <= set(PROBLEMS)
