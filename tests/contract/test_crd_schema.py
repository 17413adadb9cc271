"""The CRD keeps the conventions written at its top: described, bounded, integral, and without a default."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

CRD = Path(__file__).resolve().parents[2] / "crds" / "plimsoll.dev_inferencedeployments.yaml"
DEFINITION = yaml.safe_load(CRD.read_text(encoding="utf-8"))
(VERSION,) = DEFINITION["spec"]["versions"]

Node = tuple[str, dict[str, Any]]


def walk(schema: dict[str, Any], path: str = "InferenceDeployment") -> Iterator[Node]:
    """Every schema of the tree with its path, items of lists and values of maps included."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from walk(schema["additionalProperties"], f"{path}{{}}")


METADATA = "InferenceDeployment.metadata"
"""Described by Kubernetes itself, which refuses a description here."""
NODES = [node for node in walk(VERSION["schema"]["openAPIV3Schema"]) if node[0] != METADATA]


def nodes(kind: str) -> list[Node]:
    return [(path, schema) for path, schema in NODES if schema.get("type") == kind]


def test_every_field_is_described_in_whole_sentences() -> None:
    bad = [path for path, schema in NODES if not schema.get("description", "").endswith(".")]
    assert not bad


def test_descriptions_say_more_than_the_name_of_the_field() -> None:
    bad = [path for path, schema in NODES if len(schema["description"].split()) < 3]
    assert not bad


def test_nothing_that_a_user_writes_is_defaulted_in_the_stored_object() -> None:
    """Of the status only that nobody has seen the object yet: kstatus would take it for done."""
    [(path, default)] = [(path, schema["default"]) for path, schema in NODES if "default" in schema]
    assert (path.rpartition(".")[2], default) == ("status", {"observedGeneration": -1})


def test_no_number_is_a_float() -> None:
    assert not nodes("number")


def test_every_string_has_an_upper_bound() -> None:
    assert not [path for path, schema in nodes("string") if not {"maxLength", "enum"} & schema.keys()]


def test_every_list_has_an_upper_bound_and_a_merge_type() -> None:
    needed = {"maxItems", "x-kubernetes-list-type"}
    assert not [path for path, schema in nodes("array") if not needed <= schema.keys()]


def test_every_map_has_an_upper_bound() -> None:
    maps = [(path, schema) for path, schema in nodes("object") if "additionalProperties" in schema]
    assert maps
    assert not [path for path, schema in maps if "maxProperties" not in schema]


def test_every_integer_of_the_spec_has_both_bounds() -> None:
    eternal = "InferenceDeployment.spec.pod.tolerations[].tolerationSeconds"
    bad = [
        path
        for path, schema in nodes("integer")
        if ".spec." in path and path != eternal and not {"minimum", "maximum"} <= schema.keys()
    ]
    assert not bad


def test_every_object_knows_its_fields() -> None:
    bad = [path for path, schema in nodes("object") if not {"properties", "additionalProperties"} & schema.keys()]
    assert not bad
    assert not [path for path, schema in NODES if "x-kubernetes-preserve-unknown-fields" in schema]


@pytest.mark.parametrize("path", [path for path, schema in NODES if "x-kubernetes-validations" in schema])
def test_every_rule_says_what_to_write_and_never_a_pattern_alone(path: str) -> None:
    schema = dict(NODES)[path]
    assert "pattern" not in schema, "a pattern's message is a regular expression: write a rule with a message"
    for rule in schema["x-kubernetes-validations"]:
        assert len(rule["message"].split()) >= 5
        assert "\n" not in rule["message"], "the apiserver drops messages of several lines"


def test_the_api_is_found_under_its_names_and_has_a_status_of_its_own() -> None:
    names = DEFINITION["spec"]["names"]
    assert (names["plural"], names["shortNames"], names["categories"]) == (
        "inferencedeployments",
        ["infd"],
        ["plimsoll"],
    )
    assert VERSION["subresources"] == {"status": {}}, "no scale subresource: the HPA owns the replicas"


def test_the_printed_columns_are_those_an_operator_reads_first() -> None:
    shown = [column["name"] for column in VERSION["additionalPrinterColumns"] if not column.get("priority")]
    assert shown == ["Ready", "Stable", "Canary", "Rollout", "Replicas", "GPU", "Age"]
