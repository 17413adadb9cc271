"""Children that somebody edited or deleted: what is ours is put right, what is not is left alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from builders import POLICY, make_spec
from plimsoll_operator.drift import has_drifted
from plimsoll_operator.observed import ObjectKey
from plimsoll_operator.plan import Plan
from plimsoll_operator.reconcile import reconcile
from rollouts import at_rest


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Service", ("spec", "selector", "plimsoll.dev/name")),
        ("HorizontalPodAutoscaler", ("spec", "maxReplicas")),
        ("PodDisruptionBudget", ("spec", "maxUnavailable")),
        ("ServiceAccount", ("automountServiceAccountToken",)),
        ("NetworkPolicy", ("spec", "egress")),
        ("Deployment", ("metadata", "labels", "plimsoll.dev/name")),
        ("ControllerRevision", ("metadata", "labels", "plimsoll.dev/stable")),
    ],
)
@pytest.mark.parametrize("edit", ["changed", "removed"])
def test_a_field_of_ours_edited_by_hand_is_applied_again(kind: str, path: tuple[str, ...], edit: str) -> None:
    cluster = at_rest()
    key, live = next((key, live) for key, live in cluster.observed.children.items() if key.kind == kind)
    edited = json.loads(json.dumps(live))
    parent = edited
    for part in path[:-1]:
        parent = parent[part]
    if edit == "changed":
        parent[path[-1]] = "edited"
    else:
        del parent[path[-1]]
    observed = replace(cluster.observed, children={**cluster.observed.children, key: edited})
    plan = reconcile(observed, POLICY, cluster.now)
    assert [ObjectKey.of(manifest) for manifest in plan.apply] == [key]


@pytest.mark.parametrize(("kind", "field"), [("Service", "selector"), ("NetworkPolicy", "podSelector")])
def test_a_label_added_to_a_selector_by_hand_is_taken_out_for_it_would_select_no_pod(kind: str, field: str) -> None:
    cluster = at_rest()
    key, live = next((key, live) for key, live in cluster.observed.children.items() if key.kind == kind)
    selector = live["spec"][field] | {"tier": "short"}
    edited = {**live, "spec": live["spec"] | {field: selector}}
    observed = replace(cluster.observed, children={**cluster.observed.children, key: edited})
    assert [ObjectKey.of(manifest) for manifest in reconcile(observed, POLICY, cluster.now).apply] == [key]


def test_what_the_api_leaves_out_for_being_empty_is_no_drift() -> None:
    cluster = at_rest(make_spec(pod={"tolerations": [{"key": "dedicated", "operator": "Equal", "value": ""}]}))
    key, live = next((key, live) for key, live in cluster.observed.children.items() if key.kind == "Deployment")
    stored = json.loads(json.dumps(live))
    del stored["spec"]["template"]["spec"]["tolerations"][0]["value"]
    observed = replace(cluster.observed, children={**cluster.observed.children, key: stored})
    assert reconcile(observed, POLICY, cluster.now) == Plan()


def test_a_stable_label_put_on_another_revision_by_hand_is_taken_off_again() -> None:
    cluster = at_rest()
    cluster.change(make_spec(model={"uri": "pvc://models/other"}))
    cluster.settle()
    children = dict(cluster.observed.children)
    for key, live in children.items():
        if key.kind == "ControllerRevision":
            labels = live["metadata"]["labels"] | {"plimsoll.dev/stable": "true"}
            children[key] = {**live, "metadata": live["metadata"] | {"labels": labels}}
    serves = cluster.observed.stable
    cluster.store(children)
    cluster.settle()
    assert [revision for revision in cluster.observed.revisions if revision.stable] == [serves]


def test_a_child_deleted_by_hand_is_applied_again() -> None:
    cluster = at_rest()
    for key in cluster.observed.children:
        if key.kind in {"Deployment", "ControllerRevision"}:
            continue
        left = {other: live for other, live in cluster.observed.children.items() if other != key}
        plan = reconcile(replace(cluster.observed, children=left), POLICY, cluster.now)
        assert [ObjectKey.of(manifest) for manifest in plan.apply] == [key]


# What the apiserver notes of a NetworkPolicy that the operator applied, and of one that somebody edited afterwards.
WHOLE: dict[str, Any] = {
    "f:metadata": {
        "f:annotations": {"f:plimsoll.dev/applied-hash": {}},
        "f:labels": {"f:plimsoll.dev/name": {}},
        "f:ownerReferences": {'k:{"uid":"uid-1"}': {}},
    },
    "f:spec": {"f:egress": {}, "f:ingress": {}, "f:podSelector": {}, "f:policyTypes": {}},
}
EDITED = {**WHOLE, "f:spec": {name: {} for name in WHOLE["f:spec"] if name != "f:egress"}}
POLICY_OF_OURS: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {
        "name": "domains",
        "annotations": {"plimsoll.dev/applied-hash": "1"},
        "labels": {"plimsoll.dev/name": "domains"},
        "ownerReferences": [{"uid": "uid-1", "controller": True}],
    },
    "spec": {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"protocol": "TCP", "port": 8080}]}],
        "egress": [{"ports": [{"protocol": "TCP", "port": 53}]}],
    },
}


def noted(fields: dict[str, Any], **entry: Any) -> list[dict[str, Any]]:
    return [{"manager": "plimsoll-operator", "operation": "Apply", "fieldsV1": fields, **entry}]


@pytest.mark.parametrize(
    ("managed", "drifted"),
    [
        pytest.param(noted(WHOLE), False, id="all of it is ours, whatever else stands in it"),
        pytest.param(noted(EDITED), True, id="a list was edited, such as by a port more"),
        pytest.param(noted(WHOLE, manager="kubectl-edit"), True, id="all of it is somebody else's"),
        pytest.param(noted(WHOLE, operation="Update"), True, id="it was not applied"),
        pytest.param(noted(WHOLE, subresource="status"), True, id="another part of it is ours"),
        pytest.param([], True, id="somebody cut the note off"),
    ],
)
def test_a_list_that_the_api_takes_as_a_whole_is_ours_until_somebody_writes_to_it(
    managed: list[dict[str, Any]], drifted: bool
) -> None:
    live = json.loads(json.dumps(POLICY_OF_OURS))
    live["spec"]["egress"][0]["ports"][0]["endPort"] = 65535
    live["metadata"]["managedFields"] = managed
    assert has_drifted(POLICY_OF_OURS, live) is drifted


@pytest.mark.parametrize(
    ("entry", "drifted"),
    [
        ({'k:{"containerPort":8080,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:name": {}}}, False),
        ({'k:{"containerPort":8080,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}, True),
        ({'k:{"containerPort":9090,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:name": {}}}, True),
        ({'v:{"containerPort":8080,"name":"http"}': {}}, False),
    ],
    ids=["the API's default is among the keys", "a field of the entry was taken", "another entry", "by its value"],
)
def test_an_entry_of_a_list_is_ours_field_by_field(entry: dict[str, Any], drifted: bool) -> None:
    live: dict[str, Any] = {"metadata": {"name": "x"}, "ports": [{"containerPort": 8080, "name": "http"}]}
    wanted = json.loads(json.dumps(live))
    live["metadata"]["managedFields"] = noted({"f:ports": entry})
    assert has_drifted(wanted, live) is drifted
