"""The walk through the API leaves no field out: one that is added to the CRD must be added to the walk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from spec_walk import DETOURS, MAPS, PARKED, SERVING, STEPS, changed, leaves, stepped, value_at

CRD = Path(__file__).resolve().parents[2] / "crds" / "plimsoll.dev_inferencedeployments.yaml"
(VERSION,) = yaml.safe_load(CRD.read_text(encoding="utf-8"))["spec"]["versions"]


def fields_of(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    if "items" in schema:
        yield from fields_of(schema["items"], f"{path}[]")
    elif "properties" in schema:
        for name, inner in schema["properties"].items():
            yield from fields_of(inner, f"{path}.{name}".lstrip("."))
    else:
        yield path


IN_CRD = set(fields_of(VERSION["schema"]["openAPIV3Schema"]["properties"]["spec"]))


def test_every_field_of_the_spec_is_changed_by_some_step() -> None:
    walked = {
        field
        for step in STEPS
        for path in step
        for field in {**leaves(value_at(PARKED, path), path), **leaves(value_at(SERVING, path), path)}
    }
    assert walked | {path for detour in DETOURS for path in detour} == IN_CRD


def test_every_step_changes_something_and_all_of_them_lead_from_one_spec_to_the_other() -> None:
    spec = PARKED
    for step in STEPS:
        assert all(value_at(PARKED, path) != value_at(SERVING, path) for path in step), step
        spec = stepped(spec, step, SERVING)
    assert leaves(spec) == leaves(SERVING)


def test_what_a_detour_changes_it_takes_back() -> None:
    spec = PARKED
    for detour in DETOURS:
        spec = changed(spec, detour)
    assert spec == PARKED


def test_the_maps_of_the_user_are_known() -> None:
    assert {path for path in IN_CRD if path in MAPS} == MAPS
