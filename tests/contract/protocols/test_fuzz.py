"""What the OpenAPI document allows, and some of what it does not, is answered as it says: never by 500."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from drawn_examples import examples
from openapi_document import openapi_document

DOCUMENT = schemathesis.openapi.from_dict(openapi_document())
OPERATIONS: list[Any] = [found.ok() for found in DOCUMENT.get_all_operations() if isinstance(found, Ok)]


def no_fault_of_the_server(context: Any, response: Any, case: Any) -> None:
    """A caller that waits for a microsecond gets the 504 that it asked for."""
    assert response.status_code in (*range(200, 500), 504), response.text


CHECKS: list[Any] = [
    no_fault_of_the_server,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    unsupported_method,
    negative_data_rejection,
]
NAMES = {"name": "domains", "version": "1"}
"""Where a body follows: it would not be looked at under a name that nobody knows."""


def probe(url: str, operation: Any, count: int) -> None:
    """Sends `count` requests that the document allows, and as many that it does not, where a request has a body."""
    known = {name: value for name, value in NAMES.items() if f"{{{name}}}" in operation.path} if operation.body else {}
    for mode in [GenerationMode.POSITIVE, GenerationMode.NEGATIVE] if operation.body else [GenerationMode.POSITIVE]:
        _send(url, operation.as_strategy(generation_mode=mode, path_parameters=known or None), count)


def _send(url: str, cases: SearchStrategy[Any], count: int) -> None:
    with requests.Session() as session:

        @settings(examples(count), suppress_health_check=list(HealthCheck))
        @given(case=cases)
        def asked(case: Any) -> None:
            response = case.call(base_url=url, session=session, timeout=60)
            case.validate_response(response, checks=CHECKS)

        asked()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_each_operation_answers_as_the_document_says(operation: Any, topics_url: str) -> None:
    probe(topics_url, operation, 3)


@pytest.mark.thorough
@pytest.mark.parametrize("task", ["topics_url", "entities_url", "embeddings_url"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_many_requests_are_answered_as_the_document_says(
    operation: Any, task: str, request: pytest.FixtureRequest
) -> None:
    probe(request.getfixturevalue(task), operation, 150)
