"""Rights: what the operator asks the API for is granted, nothing else is, and the README says what each is for."""

from __future__ import annotations

from typing import Any

import pytest

from helm_chart import CHART, NAMESPACE, Chart, Objects
from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.kinds import Kind

Right = tuple[str, str, str]
"""API group, resource, verb."""

SINGLE = {"watchNamespace": "guardrails"}
READ = ("get", "list", "watch")


def rights(role: dict[str, Any]) -> set[Right]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def needed(kind: Kind, *verbs: str, subresource: str = "") -> set[Right]:
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    return {(kind.group, resource, verb) for verb in verbs}


OPERATOR_NEEDS: set[Right] = {
    *needed(kinds.INFERENCE_DEPLOYMENT, *READ),
    *needed(kinds.INFERENCE_DEPLOYMENT, "patch", subresource="status"),
    *needed(kinds.INFERENCE_DEPLOYMENT, "update", subresource="finalizers"),
    *(right for kind in kinds.CHILDREN for right in needed(kind, *READ, "create", "patch")),
    *(right for kind in (*kinds.NAMED_AFTER_REVISION, kinds.AUTOSCALER) for right in needed(kind, "delete")),
    *needed(kinds.DEPLOYMENT, "patch", subresource="scale"),
    *needed(kinds.POD, "list", "watch", "create"),
    *needed(kinds.CLAIM, "get"),
    *needed(kinds.EVENT, "get", "create", "patch"),
    *needed(kinds.NETWORK_POLICY, *READ, "create", "patch"),
}


@pytest.fixture(scope="module")
def default(chart: Chart) -> Objects:
    return chart.render()


@pytest.fixture(scope="module")
def single(chart: Chart) -> Objects:
    return chart.render(SINGLE)


def test_the_operator_gets_what_it_asks_for_and_no_more(default: Objects) -> None:
    assert rights(default.one("ClusterRole", "plimsoll-operator")) == OPERATOR_NEEDS


def test_it_reads_one_config_map_and_only_in_its_own_namespace(default: Objects) -> None:
    role = default.one("Role", "plimsoll-settings")
    assert role["metadata"]["namespace"] == NAMESPACE
    assert rights(role) == needed(kinds.CONFIG_MAP, "get")
    assert role["rules"][0]["resourceNames"] == [default.one("ConfigMap")["metadata"]["name"]]


@pytest.mark.parametrize("values", [{}, SINGLE], ids=["all namespaces", "one namespace"])
def test_it_holds_one_lease_and_only_in_its_own_namespace(chart: Chart, values: dict[str, str]) -> None:
    objects = chart.render(values)
    role = objects.one("Role", "plimsoll-lease")
    assert role["metadata"]["namespace"] == NAMESPACE
    make, hold = role["rules"]
    assert rights({"rules": [make]}) == needed(kinds.LEASE, "create")
    assert rights({"rules": [hold]}) == needed(kinds.LEASE, "get", "update")
    assert hold["resourceNames"] == [objects.environment["PLIMSOLL_LEASE_NAME"]]


def test_no_rule_has_a_wildcard_or_reaches_secrets_or_roles(default: Objects, single: Objects) -> None:
    roles = [role for objects in (default, single) for kind in ("Role", "ClusterRole") for role in objects.of(kind)]
    granted = set().union(*map(rights, roles))
    assert not [right for right in granted if "*" in right]
    assert not [group for group, *_ in granted if group == "rbac.authorization.k8s.io"]
    assert not [resource for _, resource, _ in granted if resource.split("/")[0] in {"secrets", "nodes", "namespaces"}]
    assert not [verb for *_, verb in granted if verb in {"escalate", "bind", "impersonate"}]


def test_for_one_namespace_nothing_is_cluster_wide_but_the_crd(single: Objects) -> None:
    cluster_wide = {found["kind"] for found in single.all if "namespace" not in found["metadata"]}
    assert cluster_wide == {"CustomResourceDefinition"}
    served = [role for role in single.of("Role") if role["metadata"]["namespace"] == "guardrails"]
    assert [rights(role) for role in served] == [OPERATOR_NEEDS]


@pytest.mark.parametrize("values", [{}, SINGLE], ids=["all namespaces", "one namespace"])
def test_each_role_is_bound_to_the_operators_account_and_each_binding_has_its_role(
    chart: Chart, values: dict[str, str]
) -> None:
    objects = chart.render(values)
    account = objects.one("ServiceAccount")["metadata"]
    subject = {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    for kind in ("Role", "ClusterRole"):
        bindings = objects.of(f"{kind}Binding")
        assert all(binding["subjects"] == [subject] for binding in bindings)
        bound = {
            (binding["metadata"].get("namespace"), binding["roleRef"]["kind"], binding["roleRef"]["name"])
            for binding in bindings
        }
        for_users = ("plimsoll-view", "plimsoll-edit")
        roles = {(role["metadata"].get("namespace"), kind, role["metadata"]["name"]) for role in objects.of(kind)}
        assert bound == {role for role in roles if role[2] not in for_users}
    assert objects.pod["serviceAccountName"] == account["name"]


def test_only_the_operators_pod_gets_the_accounts_token(default: Objects) -> None:
    assert default.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert default.pod["automountServiceAccountToken"] is True


@pytest.mark.parametrize(
    ("role", "into", "verbs"),
    [
        ("plimsoll-view", {"view", "edit", "admin"}, set(READ)),
        ("plimsoll-edit", {"edit", "admin"}, {"create", "update", "patch", "delete", "deletecollection"}),
    ],
)
def test_users_get_their_rights_by_the_built_in_roles(
    default: Objects, role: str, into: set[str], verbs: set[str]
) -> None:
    found = default.one("ClusterRole", role)
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    assert {key.removeprefix(prefix) for key in found["metadata"]["labels"] if key.startswith(prefix)} == into
    assert {verb for *_, verb in rights(found)} == verbs
    assert {group for group, *_ in rights(found)} == {"plimsoll.dev"}


def test_users_may_not_write_the_status(default: Objects) -> None:
    written = {resource for _, resource, _ in rights(default.one("ClusterRole", "plimsoll-edit"))}
    assert written == {"inferencedeployments"}


def test_roles_and_accounts_of_an_administrator_are_used_instead(chart: Chart) -> None:
    values = {
        "rbac": {"create": False, "aggregateToUsers": False},
        "serviceAccount": {"create": False, "name": "theirs"},
    }
    objects = chart.render(values)
    assert {role["kind"] for role in objects.all if role["apiVersion"].startswith("rbac.")} == set()
    assert objects.of("ServiceAccount") == []
    assert objects.pod["serviceAccountName"] == "theirs"


def test_the_readme_says_what_every_right_is_for(default: Objects) -> None:
    table = (CHART / "README.md").read_text("utf-8").partition("| API group |")[2].partition("\n\n")[0]
    written = {
        (group.partition(",")[0].replace("core", ""), resource.partition(",")[0], verb)
        for group, resource, verbs, _ in (row.strip("| ").split(" | ") for row in table.splitlines()[2:])
        for verb in verbs.split(", ")
    }
    roles = (default.one("ClusterRole", "plimsoll-operator"), *default.of("Role"))
    assert written == set().union(*map(rights, roles))
