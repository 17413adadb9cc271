"""A release's life: what it may do once installed, what an upgrade upgrades, and what an uninstall keeps."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cluster_kit import Kit, KubectlError, eventually
from helm_chart import CHART, Chart, Values
from light_server import light
from older_release import OLDER_CHART
from shared_crd import ADOPT, CRD, crd_owner, give_back

pytestmark = pytest.mark.cluster


def may(kit: Kit, user: str, right: Right, namespace: str) -> bool:
    return granted(kit, user, [right], namespace) == [right]


def granted(kit: Kit, user: str, rights: list[Right], namespace: str) -> list[Right]:
    """Those of the rights that the user has, by what the apiserver's authorizer says."""
    reviews = [json.dumps(_review(user, right, namespace)) for right in rights]
    answers = kit.kubectl("create", "-f", "-", "-o", "jsonpath={.status.allowed} ", stdin="\n---\n".join(reviews))
    return [right for right, allowed in zip(rights, answers.split(), strict=True) if allowed == "true"]


def _review(user: str, right: Right, namespace: str) -> dict[str, Any]:
    verb, group, resource, *rest = right
    subresource, name = (*rest, "", "")[:2]
    asked = {"verb": verb, "group": group, "resource": resource, "subresource": subresource, "name": name}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": asked | {"namespace": namespace}},
    }


Right = tuple[str, ...]
"""Verb, group, resource, then a subresource and a name where they matter."""

PLIMSOLL, INFD = "plimsoll.dev", "inferencedeployments"
ALLOWED: list[Right] = [
    ("list", PLIMSOLL, INFD),
    ("patch", PLIMSOLL, INFD, "status"),
    ("create", "apps", "deployments"),
    ("patch", "apps", "deployments", "scale"),
    ("patch", "apps", "controllerrevisions"),
    ("create", "", "services"),
    ("create", "", "serviceaccounts"),
    ("patch", "autoscaling", "horizontalpodautoscalers"),
    ("create", "policy", "poddisruptionbudgets"),
    ("create", "networking.k8s.io", "networkpolicies"),
    ("create", "coordination.k8s.io", "leases"),
    ("update", "coordination.k8s.io", "leases", "", "plimsoll"),
    ("watch", "", "pods"),
    ("create", "", "pods"),
    ("get", "", "persistentvolumeclaims"),
    ("create", "", "events"),
    ("get", "", "configmaps", "", "plimsoll-gpu-profiles"),
]
REFUSED: list[Right] = [
    ("get", "", "secrets"),
    ("patch", PLIMSOLL, INFD),
    ("get", "", "configmaps", "", "another"),
    ("list", "", "configmaps"),
    ("delete", "", "pods"),
    ("create", "", "pods", "exec"),
    ("create", "", "serviceaccounts", "token"),
    ("create", "rbac.authorization.k8s.io", "rolebindings"),
    ("delete", "", "services"),
    ("list", "", "nodes"),
    ("update", "coordination.k8s.io", "leases", "", "another"),
    ("delete", "networking.k8s.io", "networkpolicies"),
]


def test_the_operators_account_may_do_its_work_in_its_namespace_and_nothing_else(release: Kit) -> None:
    here, operator = release.namespace, f"system:serviceaccount:{release.namespace}:plimsoll"
    assert granted(release, operator, ALLOWED, here) == ALLOWED
    assert granted(release, operator, REFUSED, here) == []
    assert granted(release, operator, ALLOWED, "default") == []


def test_its_pod_is_admitted_where_only_restricted_pods_are(release: Kit) -> None:
    template = release.get("deployment", "plimsoll")["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": template["spec"]}
    release.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(KubectlError, match="violates PodSecurity"):
        release.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))


def test_users_of_the_built_in_roles_may_read_and_change(cluster_chart: Chart, kit: Kit) -> None:
    objects = cluster_chart.render({"fullnameOverride": kit.namespace}, namespace=kit.namespace)
    roles = [role for role in objects.of("ClusterRole") if not role["metadata"]["name"].endswith("-operator")]
    for role in roles:
        kit.apply(role)
    try:
        for user, built_in in (("reader", "view"), ("writer", "edit")):
            kit.kubectl("create", "rolebinding", user, f"--clusterrole={built_in}", f"--user={user}")
        here = kit.namespace
        eventually(lambda: may(kit, "writer", ("delete", PLIMSOLL, INFD), here), deadline=20)
        eventually(lambda: may(kit, "reader", ("watch", PLIMSOLL, INFD), here), deadline=20)
        assert not may(kit, "reader", ("create", PLIMSOLL, INFD), here)
        assert not may(kit, "writer", ("patch", PLIMSOLL, INFD, "status"), here)
        assert not may(kit, "writer", ("list", PLIMSOLL, INFD), "default")
    finally:
        kit.kubectl("delete", "clusterrole", *(role["metadata"]["name"] for role in roles))


def test_an_upgrade_upgrades_the_crd_and_leaving_it_out_or_an_uninstall_keeps_it(
    cluster_chart: Chart, kit: Kit, nowhere: Values, tmp_path: Path
) -> None:
    owner = crd_owner(kit)
    older = dataclasses.replace(cluster_chart, path=with_older_crd(tmp_path))
    try:
        older.release("install", *ADOPT, values=nowhere, namespace=kit.namespace)
        assert "Age" not in columns(kit)
        cluster_chart.release("upgrade", values=nowhere, namespace=kit.namespace)
        assert "Age" in columns(kit)
        cluster_chart.release("upgrade", values={**nowhere, "crds": {"install": False}}, namespace=kit.namespace)
        cluster_chart.uninstall(kit.namespace)
        assert "Age" in columns(kit)
        with pytest.raises(KubectlError, match="NotFound"):
            kit.get("deployment", "plimsoll")
    finally:
        give_back(kit, owner)


def test_an_uninstall_that_is_told_to_takes_the_crd_and_every_object_along(
    cluster_chart: Chart, kit: Kit, nowhere: Values
) -> None:
    owner = crd_owner(kit)
    try:
        cluster_chart.release("install", *ADOPT, values=nowhere, namespace=kit.namespace)
        kit.apply(light("doomed"))
        told = {**nowhere, "crds": {"keep": False}}
        cluster_chart.release("upgrade", values=told, namespace=kit.namespace)
        cluster_chart.uninstall(kit.namespace)
        assert kit.kubectl("get", "crd", CRD, "--ignore-not-found") == ""
    finally:
        give_back(kit, owner)
    assert kit.select("infd") == []


def test_a_rollback_goes_over_the_release_that_elected_no_leader_and_back(
    cluster_chart: Chart, kit: Kit, nowhere: Values
) -> None:
    """Kubernetes refuses settings of a rolling update beside Recreate, so they have to go and come with it."""
    owner = crd_owner(kit)
    older = dataclasses.replace(cluster_chart, path=OLDER_CHART)

    def replacement() -> tuple[int, dict[str, Any]]:
        spec = kit.get("deployment", "plimsoll")["spec"]
        return spec["replicas"], spec["strategy"]

    try:
        older.release("install", *ADOPT, values=nowhere, namespace=kit.namespace)
        stopped_first = replacement()
        cluster_chart.release("upgrade", values=nowhere, namespace=kit.namespace)
        assert replacement() == stopped_first == (1, {"type": "Recreate"})
        cluster_chart.release("upgrade", values=nowhere, namespace=kit.namespace)
        one_by_one = replacement()
        assert one_by_one[0] == 2
        cluster_chart.rollback(1, kit.namespace)
        assert replacement() == stopped_first
        cluster_chart.rollback(3, kit.namespace)
        assert replacement() == one_by_one
        cluster_chart.uninstall(kit.namespace)
    finally:
        give_back(kit, owner)


def with_older_crd(folder: Path) -> Path:
    """The chart with a CRD that lacks the last printer column."""
    copy = Path(shutil.copytree(CHART, folder / "plimsoll"))
    crd = copy / "files" / "crd.yaml"
    text = crd.read_text(encoding="utf-8")
    start = text.index("        - name: Age\n")
    end = text.index("\n      schema:", start)
    crd.write_text(text[:start].rstrip() + text[end:], encoding="utf-8")
    return copy


def columns(kit: Kit) -> list[str]:
    versions: list[dict[str, Any]] = kit.get("crd", CRD)["spec"]["versions"]
    return [column["name"] for column in versions[0]["additionalPrinterColumns"]]
