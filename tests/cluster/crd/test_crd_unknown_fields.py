"""A misspelt field never passes in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import InferenceApi

pytestmark = pytest.mark.cluster


@pytest.fixture
def misspelt(make_object: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return make_object("misspelt", scaling={"minReplica": 2})


def test_kubectl_apply_refuses_it(misspelt: dict[str, Any], inference_api: InferenceApi) -> None:
    answer = inference_api.kubectl("apply", "-f", "-", send=[misspelt])
    assert answer.status == 1
    assert 'unknown field "spec.scaling.minReplica"' in answer.err


def test_server_side_apply_refuses_it(misspelt: dict[str, Any], inference_api: InferenceApi) -> None:
    answer = inference_api.kubectl("apply", "--server-side", "--validate=false", "-f", "-", send=[misspelt])
    assert answer.status == 1
    assert ".spec.scaling.minReplica: field not declared in schema" in answer.err


def test_a_plain_post_drops_it_with_a_warning(misspelt: dict[str, Any], inference_api: InferenceApi) -> None:
    path = f"/apis/plimsoll.dev/v1alpha1/namespaces/{inference_api.namespace}/inferencedeployments"
    answer = inference_api.kubectl("create", "--raw", path, "-f", "-", send=[misspelt])
    assert answer.status == 0
    assert 'Warning: unknown field "spec.scaling.minReplica"' in answer.err
    assert inference_api.stored("misspelt")["spec"]["scaling"] == {}
    inference_api.kubectl("delete", "infd", "misspelt", "--wait=false")
