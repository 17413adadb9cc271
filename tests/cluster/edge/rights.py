"""Rights: which the chart's roles grant, and which a record of requests shows in use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from helm_chart import Object, Objects


class Right(NamedTuple):
    """`name` is empty where any object may be meant, `resource` holds a subresource as rules write it."""

    group: str
    resource: str
    verb: str
    name: str = ""


def granted(objects: Objects) -> set[Right]:
    """Everything that the operator's account may do by the roles that it is bound to."""
    bindings = [*objects.of("RoleBinding"), *objects.of("ClusterRoleBinding")]
    bound = {(binding["roleRef"]["kind"], binding["roleRef"]["name"]) for binding in bindings}
    roles = [role for kind in ("Role", "ClusterRole") for role in objects.of(kind)]
    return {
        right for role in roles if (role["kind"], role["metadata"]["name"]) in bound for right in _rights(role["rules"])
    }


def _rights(rules: Iterable[Object]) -> Iterable[Right]:
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    for name in rule.get("resourceNames", [""]):
                        yield Right(group, resource, verb, name)


def used(requests: Iterable[dict[str, Any]]) -> set[Right]:
    """What these requests of the audit log needed, each both by the object's name and without."""
    rights = set()
    for request in requests:
        about = request.get("objectRef")
        if about is None:
            continue
        resource = "/".join(filter(None, (about["resource"], about.get("subresource", ""))))
        verbs = {request["verb"]}
        # An apply that creates the object is authorized as a patch, and then as a creation.
        if request["verb"] == "patch" and request["responseStatus"]["code"] == 201:
            verbs.add("create")
        names = {"", about.get("name", "")}
        rights |= {Right(about.get("apiGroup", ""), resource, verb, name) for verb in verbs for name in names}
    return rights
