"""The GitOps examples hang together: what one names, another has; what they hand to the chart, it takes.

`tests/cluster/gitops/test_examples.py` has them checked by the APIs that they are for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from plimsoll_operator.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "gitops"
VALUES_SCHEMA = yaml.safe_load((ROOT / "charts" / "plimsoll" / "values.schema.json").read_text(encoding="utf-8"))


def documents(folder: str) -> list[dict[str, Any]]:
    files = sorted((EXAMPLES / folder).glob("*.yaml"))
    return [document for file in files for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def of_kind(folder: str, kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in documents(folder) if found["kind"] == kind}


DOMAINS = of_kind("inference", "InferenceDeployment")["domains"]
NAMESPACE = yaml.safe_load((EXAMPLES / "inference" / "kustomization.yaml").read_text(encoding="utf-8"))["namespace"]
APPLICATIONS = of_kind("argocd", "Application")
FLUX_SOURCES = of_kind("flux", "GitRepository")
RELEASE = of_kind("flux", "HelmRelease")["plimsoll"]["spec"]
KUSTOMIZATION = of_kind("flux", "Kustomization")["inference"]["spec"]


@pytest.mark.parametrize(
    "values",
    [APPLICATIONS["plimsoll"]["spec"]["source"]["helm"]["valuesObject"], RELEASE["values"]],
    ids=["Argo CD", "Flux"],
)
def test_the_chart_takes_the_values_that_it_is_given(values: dict[str, Any]) -> None:
    jsonschema.validate(values, VALUES_SCHEMA)


def test_the_charts_path_is_in_this_repository() -> None:
    for path in (APPLICATIONS["plimsoll"]["spec"]["source"]["path"], RELEASE["chart"]["spec"]["chart"]):
        assert (ROOT / path / "Chart.yaml").is_file()


def test_both_bring_the_folder_of_objects_to_its_namespace() -> None:
    argo = APPLICATIONS["inference"]["spec"]
    assert (EXAMPLES / argo["source"]["path"] / "kustomization.yaml").is_file()
    assert (EXAMPLES / KUSTOMIZATION["path"] / "kustomization.yaml").is_file()
    assert argo["destination"]["namespace"] == KUSTOMIZATION["targetNamespace"] == NAMESPACE


def test_flux_finds_its_sources_and_checks_the_health_of_an_object_that_is_there() -> None:
    assert KUSTOMIZATION["sourceRef"]["name"] in FLUX_SOURCES
    assert RELEASE["chart"]["spec"]["sourceRef"]["name"] in FLUX_SOURCES
    [check] = KUSTOMIZATION["healthChecks"]
    named = {"name": DOMAINS["metadata"]["name"], "namespace": NAMESPACE}
    assert check == {"apiVersion": DOMAINS["apiVersion"], "kind": DOMAINS["kind"], **named}


def test_who_follows_the_page_has_the_namespace_that_flux_does_not_make() -> None:
    flux = (ROOT / "docs" / "gitops.md").read_text("utf-8").partition("## Flux")[2]
    assert f"kubectl create namespace {KUSTOMIZATION['targetNamespace']} " in flux


def test_nothing_is_told_to_be_ignored() -> None:
    assert "ignoreDifferences" not in APPLICATIONS["inference"]["spec"]


def test_a_pull_request_is_checked_by_a_command_that_passes_on_the_example() -> None:
    workflow = yaml.safe_load((EXAMPLES / "pull-request.yaml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["load-line"]["steps"]
    assert steps[-1]["run"].rstrip().endswith("plan -f -")
    run = CliRunner().invoke(app, ["plan", "-f", "-"], input=yaml.safe_dump(DOMAINS))
    assert (run.exit_code, run.stdout.split()[1:5]) == (0, ["within", "its", "load", "line"])
