"""The CRD and the operator's parsed types are the same API: fields, choices, defaults."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from plimsoll_operator import names
from plimsoll_operator.duration import parse_duration
from plimsoll_operator.model_source import parse_model_source
from plimsoll_operator.quantity import parse_quantity
from plimsoll_operator.spec import Spec, parse_spec

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = yaml.safe_load((ROOT / "crds" / "plimsoll.dev_inferencedeployments.yaml").read_text(encoding="utf-8"))
SCHEMA = DEFINITION["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
MINIMAL = {"model": {"uri": "pvc://models/m"}, "gpu": {"profile": "cpu"}, "tiers": [{"name": "a", "maxTokens": 512}]}

PASSED_ON = "pod.tolerations[]"
"""Handed to the pods as it stands, so the operator does not look inside."""


def schema_fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    schema = schema.get("items", schema)
    for name, child in schema.get("properties", {}).items():
        child_path = f"{path}.{name}".lstrip(".")
        yield child_path, child
        yield from schema_fields(child, child_path + ("[]" if "items" in child else ""))


def type_fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        child_path = f"{path}.{field.alias or name}".lstrip(".")
        yield child_path, field.annotation
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                is_list = get_origin(field.annotation) is tuple
                yield from type_fields(inner, child_path + ("[]" if is_list else ""))


IN_CRD = {path: schema for path, schema in schema_fields(SCHEMA) if not path.startswith(f"{PASSED_ON}.")}
IN_OPERATOR = dict(type_fields(Spec))


def test_the_operator_reads_every_field_that_a_user_may_write_and_no_other() -> None:
    assert set(IN_CRD) == set(IN_OPERATOR)


def test_the_choices_are_those_the_operator_knows() -> None:
    in_operator = {path: list(get_args(kind)) for path, kind in IN_OPERATOR.items() if get_origin(kind) is Literal}
    assert {path: schema["enum"] for path, schema in IN_CRD.items() if "enum" in schema} == in_operator


def described_defaults() -> list[tuple[str, str]]:
    found = ((path, re.search(r"Default: (.+)\.$", schema["description"])) for path, schema in IN_CRD.items())
    return [(path, match.group(1)) for path, match in found if match]


def as_described(value: Any, default: str) -> Any:
    """The described default in the type of the operator's value."""
    match value:
        case bool():
            return default == "true"
        case int():
            return math.ceil(parse_quantity(default))
        case str():
            return default
        case tuple():
            return tuple(json.loads(default))
        case _:
            return parse_duration(default)


def test_most_fields_state_a_default() -> None:
    assert len(described_defaults()) > 20


@pytest.mark.parametrize(("path", "default"), described_defaults(), ids=[path for path, _ in described_defaults()])
def test_the_described_default_is_the_one_the_operator_applies(path: str, default: str) -> None:
    spec = MINIMAL | {"model": {"uri": "pvc://models/m", "dimensions": _SMALL}}
    value: Any = parse_spec(spec).model_dump(by_alias=True)
    for step in path.replace("[]", ".0").split("."):
        value = value[int(step)] if step.isdigit() else value[step]
    assert value == as_described(value, default)


_SMALL = {"layers": 1, "hiddenSize": 2, "heads": 1, "intermediateSize": 2, "vocabSize": 2}


def test_a_spec_with_only_the_required_fields_parses() -> None:
    parsed = parse_spec(MINIMAL)
    assert parsed.gpu.count == 1


def test_the_operator_finds_the_api_under_the_names_of_the_crd() -> None:
    spec = DEFINITION["spec"]
    assert (spec["group"], spec["versions"][0]["name"]) == (names.GROUP, names.VERSION)
    assert (spec["names"]["kind"], spec["names"]["plural"]) == (names.KIND, names.PLURAL)


@pytest.mark.parametrize(
    "form", ["hf://org/repo:" + "0a" * 20, "pvc://claim/a/b", "pvc://claim", "oci://r/m@sha256:" + "0a" * 32]
)
def test_the_operator_reads_every_form_of_uri_that_the_crd_accepts(form: str) -> None:
    assert parse_model_source(form).location
