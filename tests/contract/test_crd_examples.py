"""The examples are good objects, and the reference page is that of this CRD."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from plimsoll_operator.gpu_profiles import parse_gpu_profiles
from plimsoll_operator.load_line import plan_load_line, precision_of
from plimsoll_operator.model_shapes import dimensions_of
from plimsoll_operator.spec import parse_spec

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = yaml.safe_load((ROOT / "crds" / "plimsoll.dev_inferencedeployments.yaml").read_text(encoding="utf-8"))
SCHEMA = DEFINITION["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
PROFILES = parse_gpu_profiles(yaml.safe_load((ROOT / "charts/plimsoll/values.yaml").read_text("utf-8"))["gpuProfiles"])
FILES = [*sorted((ROOT / "examples").glob("*.yaml")), ROOT / "examples" / "gitops" / "inference" / "domains.yaml"]
NAMED = pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])


def read(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return document


PLANNED = [file for file in FILES if {"shape", "dimensions"} & read(file)["spec"]["model"].keys()]


def written(value: Any, path: str = "") -> Iterator[str]:
    """Paths of the fields of a document; a list's items are written `[]`."""
    if isinstance(value, list):
        for item in value:
            yield from written(item, f"{path}[]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}.{name}"
            yield from written(inner, f"{path}.{name}")


def declared(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from declared(child.get("items", child), f"{path}.{name}" + ("[]" if "items" in child else ""))


@NAMED
def test_an_example_fits_the_schema_and_the_operator_reads_it(file: Path) -> None:
    document = read(file)
    jsonschema.validate(document, SCHEMA)
    parse_spec(document["spec"])


@NAMED
def test_an_example_has_no_field_that_the_schema_does_not_know(file: Path) -> None:
    free = (".server.resources.requests.", ".server.resources.limits.", ".pod.nodeSelector.")
    unknown = set(written(read(file)["spec"])) - set(declared(SCHEMA["properties"]["spec"]))
    assert not {path for path in unknown if not path.startswith(free)}


@pytest.mark.parametrize("file", PLANNED, ids=[file.stem for file in PLANNED])
def test_an_example_that_states_its_shape_stays_within_its_load_line(file: Path) -> None:
    spec = parse_spec(read(file)["spec"])
    shape, profile = dimensions_of(spec.model), PROFILES[spec.gpu.profile]
    assert shape is not None
    line = plan_load_line(
        shape,
        spec.tiers,
        device_memory=profile.memory_bytes,
        utilization_percent=spec.server.memory_utilization_percent,
        precision=precision_of(spec.model.dtype, profile),
    )
    assert line.within, line.exceeded


def test_the_full_example_writes_every_field() -> None:
    instead_of_dimensions = {".model.shape"}
    every = set(declared(SCHEMA["properties"]["spec"])) - instead_of_dimensions
    assert every <= set(written(read(ROOT / "examples" / "full.yaml")["spec"]))


def test_the_reference_page_is_that_of_this_crd() -> None:
    check = [sys.executable, str(ROOT / "crds" / "render_reference.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
