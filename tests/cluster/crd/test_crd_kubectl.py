"""What a person at a terminal reads: `kubectl explain`, and the columns of `kubectl get`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .conftest import InferenceApi

pytestmark = pytest.mark.cluster

EXPLAINED = {
    "infd": "keeps every context tier inside the memory of its GPU",
    "infd.spec": "tiers <[]Object> -required- Context tiers in ascending order of maxTokens: a request belongs to the "
    "first tier that it fits",
    "infd.spec.tiers": "maxTokens <integer> -required- Longest request of the tier in tokens, special tokens included, "
    "for example 512.",
    "infd.spec.tiers.concurrency": "Requests of this tier that one GPU runs at once. Where its memory carries fewer, "
    "the condition WithinLoadLine turns False and the safe number is used. Default: 1.",
    "infd.spec.model.uri": "pvc://CLAIM/PATH reads a folder of a PersistentVolumeClaim in the same namespace",
    "infd.spec.longInput": "policy <string> enum: Auto, Native, Chunk, Reject, .... Auto chunks a text that exceeds",
    "infd.spec.scaling.scaleDownStabilization": "such as 5m, from 0s to 1h. Default: 5m.",
    "infd.status.conditions": "Available: the serving revision serves (page on this).",
    "infd.status.loadLine": "safeConcurrency <integer> Requests at once that the GPU's memory carries",
}


@pytest.mark.parametrize(("field", "text"), EXPLAINED.items(), ids=EXPLAINED.keys())
def test_kubectl_explains_a_field_in_words(field: str, text: str, inference_api: InferenceApi) -> None:
    answer = inference_api.kubectl("explain", field)
    assert text in re.sub(r"\s+", " ", answer.out)


STATUS = {
    "observedGeneration": 1,
    "readyReplicas": 3,
    "rollout": {"phase": "Progressing", "stable": "aaaa", "canary": "bbbb"},
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "reason": "RollingOut",
            "message": "1 of 3 pods of revision bbbb are ready",
            "lastTransitionTime": "2026-05-04T03:00:00Z",
        }
    ],
}


@pytest.fixture
def served(inference_api: InferenceApi, make_object: Callable[..., dict[str, Any]]) -> Iterator[str]:
    """An object whose status says that a rollout is under way."""
    inference_api.kubectl("create", "-f", "-", send=[make_object("columns")])
    patch = json.dumps({"status": STATUS})
    answer = inference_api.kubectl("patch", "infd", "columns", "--subresource=status", "--type=merge", "-p", patch)
    assert answer.status == 0, answer.err
    yield "columns"
    inference_api.kubectl("delete", "infd", "columns", "--wait=false")


def columns(table: str) -> dict[str, str]:
    """One row of kubectl's table, by its header."""
    header, row = table.splitlines()
    starts = [match.start() for match in re.finditer(r"\S+", header)]
    ends = [*starts[1:], None]
    return {header[a:b].strip(): row[a:b].strip() for a, b in zip(starts, ends, strict=True)}


def shown_and_stored(api: InferenceApi, name: str) -> tuple[dict[str, str], dict[str, Any]]:
    """The row of `kubectl get -o wide` and the object that it is made of; an operator may be writing meanwhile."""
    for _ in range(20):
        before = api.stored(name)
        row = columns(api.kubectl("get", "infd", name, "-o", "wide").out)
        if api.stored(name)["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]:
            return row, before
    raise AssertionError(f"{name} changed with every look at it")


def test_the_columns_tell_whether_it_serves_and_what_is_under_way(served: str, inference_api: InferenceApi) -> None:
    shown, stored = shown_and_stored(inference_api, served)
    rollout, ready = stored["status"].get("rollout", {}), ready_condition(stored)
    assert shown.pop("AGE").endswith("s")
    assert shown == {
        "NAME": "columns",
        "READY": ready["status"],
        "STABLE": rollout.get("stable", ""),
        "CANARY": rollout.get("canary", ""),
        "ROLLOUT": rollout.get("phase", ""),
        "REPLICAS": str(stored["status"]["readyReplicas"]),
        "GPU": "cpu",
        "REASON": ready["reason"],
        "MODEL": "pvc://models/m",
    }


def ready_condition(stored: dict[str, Any]) -> dict[str, str]:
    (found,) = (condition for condition in stored["status"]["conditions"] if condition["type"] == "Ready")
    return dict(found)


def test_without_being_asked_for_more_kubectl_shows_the_columns_that_fit_a_terminal(
    served: str, inference_api: InferenceApi
) -> None:
    header = inference_api.kubectl("get", "infd", served).out.splitlines()[0]
    assert header.split() == ["NAME", "READY", "STABLE", "CANARY", "ROLLOUT", "REPLICAS", "GPU", "AGE"]


def test_the_object_is_listed_under_the_category_plimsoll(served: str, inference_api: InferenceApi) -> None:
    assert "inferencedeployment.plimsoll.dev/columns" in inference_api.kubectl("get", "plimsoll", "-o", "name").out


def test_the_status_is_not_part_of_what_a_user_applies(served: str, inference_api: InferenceApi) -> None:
    document = _with_foreign_status(inference_api.stored(served))
    answer = inference_api.kubectl("apply", "--server-side", "-f", "-", send=[document])
    assert answer.status == 0, answer.err
    assert inference_api.stored(served)["status"]["readyReplicas"] != 99


def _with_foreign_status(stored: dict[str, Any]) -> dict[str, Any]:
    identity = {key: stored[key] for key in ("apiVersion", "kind")}
    return identity | {"metadata": {"name": stored["metadata"]["name"]}, "status": {"readyReplicas": 99}}
