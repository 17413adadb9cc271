"""Whatever somebody edits or deletes of what is ours comes back within seconds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from api_client import Api
from cluster.operator.hand_edits import carry_out, children_of
from cluster_kit import eventually
from light_server import light
from plimsoll_operator.cluster.kinds import AUTOSCALER, CHILDREN, INFERENCE_DEPLOYMENT, POD

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

OBJECTS = 5
OPENED_BY_HAND = {
    "spec.podSelector.matchExpressions added",
    "spec.ingress[0].from added",
    "spec.ingress[0].ports[0].endPort added",
    "spec.egress[0].to added",
    "spec.egress[0].ports[1].endPort added",
}
"""What would open a policy, or close it: the generated edits must come to these, and the apiserver take them."""
"""Of each sort. Each child gets its share of the edits: one by one, since a repair puts right all of an object."""


@pytest.fixture(scope="module")
def serving(api: Api) -> Iterator[list[str]]:
    """Objects with an autoscaler and a pod each, at rest."""
    yield from _at_rest(api, "serving", {"scaleDownStabilization": "1s"})


@pytest.fixture(scope="module")
def parked(api: Api) -> Iterator[list[str]]:
    """Objects without pods: their pod templates can be edited at no cost."""
    yield from _at_rest(api, "parked", {"provider": "None", "minReplicas": 0})


def _at_rest(api: Api, prefix: str, scaling: dict[str, Any]) -> Iterator[list[str]]:
    names = [f"{prefix}-{number}" for number in range(OBJECTS)]
    for name in names:
        api.apply(INFERENCE_DEPLOYMENT, light(name, scaling=scaling))
    for name in names:
        eventually(partial(_rests, api, name), 180, partial(_told, api, name))
    yield names
    for name in names:
        api.delete(INFERENCE_DEPLOYMENT, name)


def _rests(api: Api, name: str) -> bool:
    """It serves, and its autoscaler, where it has one, may shrink again: the last thing that changes by itself."""
    owner = api.get(INFERENCE_DEPLOYMENT, name)
    conditions = {found["type"]: found["status"] for found in owner.get("status", {}).get("conditions", ())}
    autoscaler = api.find(AUTOSCALER, name)
    may_shrink = autoscaler is None or autoscaler["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Max"
    return conditions.get("Ready") == "True" and may_shrink


def _told(api: Api, name: str) -> str:
    return str(api.get(INFERENCE_DEPLOYMENT, name).get("status"))


def pods_of(api: Api, names: list[str]) -> set[str]:
    return {pod["metadata"]["uid"] for name in names for pod in api.select(POD, f"plimsoll.dev/name={name}")}


def test_every_field_of_every_child_comes_back_and_no_pod_is_lost(api: Api, serving: list[str]) -> None:
    pods = pods_of(api, serving)
    done = carry_out(api, {name: children_of(api, name) for name in serving}, of_pods=False)
    assert not done.failures, "\n".join(done.failures)
    assert done.repaired_in_time(), sorted(done.seconds)
    assert {kind.kind for kind in CHILDREN} == set(done.accepted)
    assert set(done.accepted["NetworkPolicy"]) >= OPENED_BY_HAND
    assert "spec.metrics[0].pods.metric.selector added" in done.accepted["HorizontalPodAutoscaler"]
    # The autoscaler may have added one to them while its minimum was edited.
    assert pods_of(api, serving) >= pods


def test_every_field_of_the_pod_template_comes_back(api: Api, parked: list[str]) -> None:
    done = carry_out(api, {name: children_of(api, name) for name in parked}, of_pods=True)
    assert not done.failures, "\n".join(done.failures)
    assert done.repaired_in_time(), sorted(done.seconds)
    assert len(done.accepted["Deployment"]) > 60
