"""Children that somebody edited or deleted: what is ours is put right, what is not is left alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from builders import POLICY, make_spec
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
