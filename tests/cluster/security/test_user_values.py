"""What the API accepts of an InferenceDeployment, Kubernetes accepts of every child that is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from api_client import Api, connected
from builders import NOW, POLICY, make_observed, make_owner
from cluster.security.conftest import NAMESPACE
from cluster_kit import Kit
from crd_values import names, specs
from drawn_examples import examples
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT, kind_of
from plimsoll_operator.reconcile import reconcile

pytestmark = pytest.mark.cluster

DRY = {"dryRun": "All", "fieldValidation": "Strict"}


@pytest.fixture(scope="module")
def api(kit: Kit) -> Iterator[Api]:
    with connected(kit.kubeconfig, NAMESPACE) as api:
        yield api


@settings(examples(20), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names(), specs())
def test_nothing_that_is_accepted_is_refused_later(api: Api, name: str, spec: dict[str, Any]) -> None:
    head = {"apiVersion": INFERENCE_DEPLOYMENT.api_version, "kind": INFERENCE_DEPLOYMENT.kind}
    api.ask("POST", INFERENCE_DEPLOYMENT.path(NAMESPACE), DRY, {**head, "metadata": {"name": name}, "spec": spec})
    owner = replace(make_owner(spec), name=name, namespace=NAMESPACE)
    plan = reconcile(replace(make_observed(spec, claim_found=True), owner=owner), POLICY, NOW)
    assert len(plan.apply) >= 7
    for child in plan.apply:
        api.ask("POST", kind_of(child["apiVersion"], child["kind"]).path(NAMESPACE), DRY, dict(child))
