"""`plan`: the load line of what a file asks for, with no cluster. For a pull request's checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import resources
from typing import Annotated, Any

import typer
import yaml
from rich.text import Text

from plimsoll_operator.cli.console import bad, good, plain, show, uneasy
from plimsoll_operator.cli.errors import WrongInputError
from plimsoll_operator.cli.manifest import read_manifests, read_text
from plimsoll_operator.cli.output import Format, Output, show_json
from plimsoll_operator.cli.report import load_line
from plimsoll_operator.gpu_profiles import GpuProfile, InvalidGpuProfileError, parse_gpu_profiles
from plimsoll_operator.observed import Manifest, Observed, Owner
from plimsoll_operator.reconcile import Policy, reconcile
from plimsoll_operator.rollout.canary.advice import steps_that_cannot_be_had
from plimsoll_operator.spec import Spec, parse_spec

EXCEEDED = 1

PROFILES_FILE = "gpu_profiles.yaml"
"""The chart's own table; written by charts/sync_profiles.py."""

File = Annotated[
    str, typer.Option("--filename", "-f", help="A file of manifests; - for standard input.", show_default=False)
]
Profiles = Annotated[
    str, typer.Option(help="The chart's values file: its gpuProfiles are merged into the chart's own, as Helm does.")
]


def plan(filename: File, profiles: Profiles = "", output: Output = Format.text) -> None:
    """Plan the load line of what a file asks for. Exits 1 when it is exceeded, 2 when the file is wrong."""
    manifests = read_manifests(filename)
    table = _profiles(profiles)
    plans = [(manifest, _planned(manifest, table)) for manifest in manifests]
    if output is Format.json:
        show_json([_document(manifest, status) for manifest, status in plans])
    else:
        for manifest, status in plans:
            show(_told(manifest, status))
    if any(_line(status)["status"] == "False" for _, status in plans):
        raise typer.Exit(EXCEEDED)


def _profiles(path: str) -> dict[str, GpuProfile]:
    table: dict[str, Any] = yaml.safe_load(resources.files(__package__).joinpath(PROFILES_FILE).read_text("utf-8"))
    if path:
        table = _merged(table, _given(path))
    try:
        return parse_gpu_profiles({name: entry for name, entry in table.items() if entry is not None})
    except InvalidGpuProfileError as error:
        raise WrongInputError(f"{path}: {error}") from error


def _given(path: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise WrongInputError(f"{path}: expected YAML: {error}") from error
    table = values.get("gpuProfiles", values) if isinstance(values, dict) else values
    if not isinstance(table, dict):
        raise WrongInputError(f"{path}: expected gpuProfiles, a map of names to profiles")
    return table


def _merged(base: Any, over: Any) -> Any:
    """Maps merged key by key, as Helm merges values; anything else is replaced."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{key: _merged(base.get(key), value) for key, value in over.items()}}


def _planned(manifest: Manifest, profiles: Mapping[str, GpuProfile]) -> Manifest:
    """The status that the operator would give the object at first sight: the same code decides."""
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace", "")
    owner = Owner(namespace, metadata["name"], uid="", generation=1, resource_version="", spec=manifest["spec"])
    observed = Observed(owner=owner, profiles=profiles)
    status = reconcile(observed, Policy(server_image=""), datetime.now(UTC)).status or {}
    unknown = [found for found in status["conditions"] if found["reason"] == "GPUProfileNotFound"]
    if unknown:
        raise WrongInputError(f"{metadata['name']}: {unknown[0]['message']}; --profiles adds your own")
    for wrong in _out_of_range(parse_spec(manifest["spec"])):
        raise WrongInputError(f"{metadata['name']}: {wrong}")
    return status


def _out_of_range(spec: Spec) -> Iterator[str]:
    """What this plan reckons with; of all other ranges the apiserver tells."""
    canary, fewest = spec.rollout.canary, spec.scaling.min_replicas
    if not all(1 <= step <= 99 for step in canary.steps):
        yield f"spec.rollout.canary.steps: write shares of 1 to 99 percent, found {list(canary.steps)}"
    if canary.max_pods < 1:
        yield f"spec.rollout.canary.maxPods: write at least 1, found {canary.max_pods}"
    if fewest < 0:
        yield f"spec.scaling.minReplicas: write 0 or more, found {fewest}"


def _line(status: Manifest) -> dict[str, Any]:
    return next(dict(found) for found in status["conditions"] if found["type"] == "WithinLoadLine")


def _document(manifest: Manifest, status: Manifest) -> dict[str, Any]:
    line = {name: _line(status)[name] for name in ("status", "reason", "message")}
    told = {"name": manifest["metadata"]["name"], "gpu": manifest["spec"]["gpu"]["profile"]}
    warnings = list(_warnings(manifest))
    return {**told, "withinLoadLine": line, "loadLine": status.get("loadLine", []), "warnings": warnings}


def _warnings(manifest: Manifest) -> tuple[str, ...]:
    """What will not be as it is written, though it runs."""
    return steps_that_cannot_be_had(parse_spec(manifest["spec"]))


def _told(manifest: Manifest, status: Manifest) -> Iterator[Text]:
    line = _line(status)
    verdict = {"True": good("within its load line"), "False": bad("over its load line")}
    said = verdict.get(line["status"], uneasy("not planned"))
    name, gpu = Text(manifest["metadata"]["name"], style="bold"), manifest["spec"]["gpu"]["profile"]
    yield Text.assemble(name, "  ", said, f"  {gpu}")
    if line["status"] != "True":
        yield plain(line["message"])
    table = load_line(status.get("loadLine", ()))
    if table is not None:
        yield table
    for warning in _warnings(manifest):
        yield uneasy(f"note: {warning}")
