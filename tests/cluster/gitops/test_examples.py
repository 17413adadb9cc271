"""Every example of docs/gitops.md is taken by the API that it is written for: Argo CD's, Flux', Kubernetes' and ours.

A real apiserver is asked, with the CustomResourceDefinitions that those projects publish: what it does not know is
refused, and what their rules forbid.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from cluster_kit import Kit, KubectlError, eventually
from plimsoll_sandbox.toolchain import ensure_gitops_apis

pytestmark = pytest.mark.cluster

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "gitops"
NAMESPACES = ("argocd", "flux-system", "guardrails")
TRIED = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")


def documents(file: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((EXAMPLES / file).read_text(encoding="utf-8")))


FILES = [
    str(path.relative_to(EXAMPLES))
    for folder in ("argocd", "flux")
    for path in sorted(EXAMPLES.glob(f"{folder}/*.yaml"))
]
OBJECTS = [pytest.param(found, id=f"{file}: {found['kind']}") for file in FILES for found in documents(file)]


@pytest.fixture(scope="module")
def everywhere(kit: Kit) -> Iterator[Kit]:
    """A cluster that knows the kinds of all examples, and has the namespaces that they are for."""
    apis = sorted(ensure_gitops_apis(Console(stderr=True)).glob("*.yaml"))
    kit.kubectl("apply", "--server-side", *(f"--filename={path}" for path in apis))
    names = [found["metadata"]["name"] for path in apis for found in yaml.safe_load_all(path.read_text("utf-8"))]
    for name in names:
        eventually(partial(is_established, kit, name), 60)
    for namespace in NAMESPACES:
        kit.kubectl("create", "namespace", namespace)
    yield Kit(kit.kubectl_path, kit.kubeconfig, namespace="")
    # Whoever comes next in this sandbox may use the same names.
    kit.kubectl("delete", "namespace", *NAMESPACES, "--timeout=120s", deadline=130)
    kit.kubectl("delete", "crd", *names, "--timeout=60s", deadline=70)


def is_established(kit: Kit, crd: str) -> bool:
    conditions = kit.get("crd", crd).get("status", {}).get("conditions", [])
    return any((found["type"], found["status"]) == ("Established", "True") for found in conditions)


def is_taken(kit: Kit, manifest: dict[str, Any]) -> None:
    namespace = manifest["metadata"].get("namespace", "guardrails")
    kit.kubectl("-n", namespace, *TRIED, stdin=json.dumps(manifest))


@pytest.mark.parametrize("manifest", OBJECTS)
def test_an_example_is_taken(everywhere: Kit, manifest: dict[str, Any]) -> None:
    is_taken(everywhere, manifest)


def test_the_folder_is_taken_as_a_pull_request_checks_it(everywhere: Kit) -> None:
    rendered = everywhere.kubectl("kustomize", str(EXAMPLES / "inference"))
    everywhere.kubectl("-n", "guardrails", *TRIED, stdin=rendered)


MISSPELT = [
    pytest.param("argocd/inference.yaml", 0, ("spec", "syncPolicy", "automated"), "selfheal", id="Argo CD"),
    pytest.param("argocd/plimsoll.yaml", 0, ("spec", "source", "helm"), "valueObject", id="Argo CD: of a chart"),
    pytest.param("flux/inference.yaml", 0, ("spec", "ref"), "branches", id="Flux: source"),
    pytest.param("flux/inference.yaml", 1, ("spec",), "retryinterval", id="Flux: kustomization"),
    pytest.param("flux/plimsoll.yaml", 1, ("spec", "install"), "createNamespaces", id="Flux: release"),
    pytest.param("inference/domains.yaml", 0, ("spec", "rollout", "canary"), "maxduration", id="InferenceDeployment"),
]


@pytest.mark.parametrize(("file", "number", "path", "name"), MISSPELT)
def test_a_field_that_is_misspelt_is_refused(
    everywhere: Kit, file: str, number: int, path: tuple[str, ...], name: str
) -> None:
    manifest = copy.deepcopy(documents(file)[number])
    section = manifest
    for part in path:
        section = section[part]
    section[name] = section.pop(next(iter(section)))
    with pytest.raises(KubectlError, match=rf"\.{name}\b"):
        is_taken(everywhere, manifest)


REFUSED = [
    pytest.param("argocd/inference.yaml", 0, {"project": None}, "project", id="Argo CD: without its project"),
    pytest.param("flux/inference.yaml", 0, {"interval": "1 minute"}, "interval", id="Flux: no duration"),
    pytest.param(
        "flux/inference.yaml", 1, {"sourceRef": {"kind": "Git", "name": "x"}}, "kind", id="Flux: no such source"
    ),
    pytest.param(
        "flux/plimsoll.yaml", 1, {"chartRef": {"kind": "OCIRepository", "name": "x"}}, "chart", id="Flux: two charts"
    ),
]


@pytest.mark.parametrize(("file", "number", "change", "named"), REFUSED)
def test_what_the_projects_own_rules_refuse_is_refused(
    everywhere: Kit, file: str, number: int, change: dict[str, Any], named: str
) -> None:
    manifest = copy.deepcopy(documents(file)[number])
    spec = {**manifest["spec"], **change}
    manifest["spec"] = {field: value for field, value in spec.items() if value is not None}
    with pytest.raises(KubectlError, match=named):
        is_taken(everywhere, manifest)
