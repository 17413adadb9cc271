"""What the operator and the cluster must agree on: the version of Kubernetes, and the fields of the CRD."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from plimsoll_operator.cluster.access import Access
from plimsoll_operator.cluster.compatibility import (
    SCHEMA_PATH,
    InstalledCrd,
    declared_fields,
    field_paths,
    missing_fields,
    needed_fields,
    too_old,
)
from plimsoll_operator.cluster.kube import Kube
from scripted_apiserver import Answer, ScriptedApiserver, ok, refusal, scripted_apiserver

CRD = Path(__file__).parents[3] / "crds" / "plimsoll.dev_inferencedeployments.yaml"


def released_schema() -> dict[str, Any]:
    schema: dict[str, Any] = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def document(schema: dict[str, Any]) -> dict[str, Any]:
    """An apiserver's OpenAPI document of the group and version; its list kind comes with it."""
    kinds = [{"group": "plimsoll.dev", "version": "v1alpha1", "kind": "InferenceDeployment"}]
    listed = [{**kinds[0], "kind": "InferenceDeploymentList"}]
    return {
        "components": {
            "schemas": {
                "dev.plimsoll.v1alpha1.InferenceDeploymentList": {"x-kubernetes-group-version-kind": listed},
                "dev.plimsoll.v1alpha1.InferenceDeployment": schema | {"x-kubernetes-group-version-kind": kinds},
                "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta": {},
            }
        }
    }


@pytest.mark.parametrize(
    ("major", "minor", "old"),
    [
        ("1", "29", True),
        ("1", "29+", True),
        ("1", "30", False),
        ("1", "30+", False),
        ("1", "36", False),
        ("2", "0", False),
        ("", "", False),
        ("one", "thirty", False),
    ],
)
def test_kubernetes_is_new_enough_from_1_30_on(major: str, minor: str, old: bool) -> None:
    complaint = too_old({"major": major, "minor": minor, "gitVersion": f"v{major}.{minor}"})
    expected = f"expected Kubernetes 1.30 or later, found v{major}.{minor}: upgrade the cluster"
    assert complaint.startswith(expected) if old else complaint == ""


def test_the_needed_fields_are_those_of_the_released_crd() -> None:
    assert needed_fields() == tuple(field_paths(released_schema()))
    assert {"spec.tiers[].maxTokens", "status.conditions[].reason"} <= set(needed_fields())


@pytest.mark.parametrize(
    ("needed", "declared", "missing"),
    [
        (("spec", "spec.a"), ("spec", "spec.a", "spec.newer"), ()),
        (("spec", "spec.a", "spec.ab"), ("spec", "spec.ab"), ("spec.a",)),
        (("spec", "spec.a", "spec.a.b", "spec.a.b.c"), ("spec",), ("spec.a",)),
        (("spec.a", "spec.a[]", "spec.a[].b", "spec.c", "spec.c{}"), (), ("spec.a", "spec.c")),
        (("spec.a", "spec.a.b", "spec.a.c"), ("spec.a", "spec.a.b"), ("spec.a.c",)),
    ],
    ids=["a newer CRD", "a longer name is another field", "children go without saying", "lists and maps", "one of two"],
)
def test_only_the_topmost_missing_fields_are_named(
    needed: tuple[str, ...], declared: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    assert missing_fields(needed, declared) == missing


def test_a_document_without_the_kind_declares_nothing() -> None:
    assert declared_fields({"components": {"schemas": {}}}) == ()


@pytest.fixture
async def apiserver() -> AsyncIterator[ScriptedApiserver]:
    async with scripted_apiserver() as server:
        yield server


@pytest.fixture
async def installed(apiserver: ScriptedApiserver, tmp_path: Path) -> AsyncIterator[InstalledCrd]:
    apiserver.write_kubeconfig(tmp_path / "kubeconfig")
    async with Kube(Access(str(tmp_path / "kubeconfig")), timedelta(seconds=5), lambda *_: None) as kube:
        yield InstalledCrd(kube)


def without(schema: dict[str, Any], part: str, name: str) -> dict[str, Any]:
    del schema["properties"][part]["properties"][name]
    return schema


OLD = document(without(released_schema(), "spec", "rollout"))


async def test_an_older_crd_is_told_once_and_its_upgrade_is_noticed(
    apiserver: ScriptedApiserver, installed: InstalledCrd, caplog: pytest.LogCaptureFixture
) -> None:
    apiserver.answer(f"GET {SCHEMA_PATH}", ok(OLD), ok(OLD), ok(document(released_schema())))
    await installed.look()
    await installed.look()
    assert (installed.missing, installed.known.is_set()) == (("spec.rollout",), True)
    [told] = caplog.records
    assert "older than this operator: it lacks spec.rollout" in told.getMessage()
    assert told.__dict__["reason"] == "CRDOutdated"
    await installed.look()
    assert installed.missing == ()


async def test_an_older_crd_that_a_reconcile_finds_is_looked_at_again_soon(
    apiserver: ScriptedApiserver, installed: InstalledCrd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plimsoll_operator.cluster.compatibility.SOON", timedelta(milliseconds=10))
    right = ok(document(released_schema()))
    apiserver.answer(f"GET {SCHEMA_PATH}", right, ok(OLD), right)
    stop = asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(installed.run(stop))
        await installed.known.wait()
        await installed.confirm()
        assert "spec.rollout" in installed.missing
        while installed.missing:  # noqa: ASYNC110  nobody is told of it but by this value
            await asyncio.sleep(0.01)
        stop.set()


@pytest.mark.parametrize(
    "answer",
    [refusal(404, "NotFound", "not found"), refusal(503, "", "away"), ok({"components": {"schemas": {}}})],
    ids=["no CRD yet", "apiserver away", "not published yet"],
)
async def test_what_cannot_be_read_is_no_answer(
    apiserver: ScriptedApiserver, installed: InstalledCrd, answer: Answer
) -> None:
    apiserver.answer(f"GET {SCHEMA_PATH}", answer, ok(OLD), answer)
    await installed.look()
    assert not installed.known.is_set()
    await installed.look()
    await installed.look()
    assert installed.missing == ("spec.rollout",)


async def test_a_schema_that_may_not_be_read_is_taken_on_trust_with_a_warning(
    apiserver: ScriptedApiserver, installed: InstalledCrd, caplog: pytest.LogCaptureFixture
) -> None:
    apiserver.answer(f"GET {SCHEMA_PATH}", refusal(403, "Forbidden", "no"))
    await installed.look()
    await installed.look()
    assert (installed.missing, installed.known.is_set()) == ((), True)
    [told] = caplog.records
    assert "grant the role system:discovery" in told.getMessage()
