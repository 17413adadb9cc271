"""What is in git and what is in the cluster do not differ, whoever applies it, also in the middle of a canary."""

from __future__ import annotations

import json
from typing import Any

import pytest

from argo_lua import argo_health
from cluster_kit import Kit, eventually
from plimsoll_operator.names import ANNOTATION_REQUEST, FIELD_MANAGER

pytestmark = pytest.mark.cluster

GITOPS_MANAGERS = ("argocd-controller", "kustomize-controller")
APPLY = {
    "client-side": ("apply", "-f", "-"),
    **{manager: ("apply", "--server-side", "--field-manager", manager, "-f", "-") for manager in GITOPS_MANAGERS},
}
DIFF = {
    "client-side": ("diff", "-f", "-"),
    **{
        manager: ("diff", "--server-side", "--field-manager", manager, "--force-conflicts", "-f", "-")
        for manager in GITOPS_MANAGERS
    },
}


def spec_of(found: dict[str, Any]) -> str:
    return json.dumps(found["spec"])


def seen_again(kit: Kit, name: str) -> dict[str, Any]:
    """The object once the operator has looked at it as it is now."""

    def looked_at() -> dict[str, Any] | None:
        found = kit.get("infd", name)
        return found if found["status"]["observedGeneration"] == found["metadata"]["generation"] else None

    return eventually(looked_at, 30)


@pytest.mark.parametrize("who", DIFF)
def test_there_is_no_difference(kit: Kit, kept: dict[str, Any], who: str) -> None:
    """`kubectl diff` ends with 1 where there is one."""
    assert kit.kubectl(*DIFF[who], stdin=json.dumps(kept)) == ""


@pytest.mark.parametrize("who", APPLY)
def test_applying_it_again_changes_nothing_in_its_spec(kit: Kit, kept: dict[str, Any], who: str) -> None:
    name = kept["metadata"]["name"]
    before = kit.get("infd", name)
    uids = {child["metadata"]["uid"] for child in kit.children(name)}
    for _ in range(2):
        kit.kubectl(*APPLY[who], stdin=json.dumps(kept))
    after = seen_again(kit, name)
    assert spec_of(after) == spec_of(before)
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert after["status"]["rollout"]["phase"] == before["status"]["rollout"]["phase"]
    assert {child["metadata"]["uid"] for child in kit.children(name)} == uids


def test_argo_cd_calls_it_healthy_or_under_way(kit: Kit, kept: dict[str, Any]) -> None:
    """A canary that lacks metrics goes on by itself once they come."""
    name = kept["metadata"]["name"]
    at_rest = kit.get("infd", name)["status"]["rollout"]["phase"] == "Idle"
    kit.wait_for(name, "Ready", *(("True", "Serving") if at_rest else ("False", "NoMetrics")))
    assert argo_health(kit.get("infd", name)) == ("Healthy" if at_rest else "Progressing")


def test_the_operator_owns_nothing_of_what_is_in_git(kit: Kit, kept: dict[str, Any]) -> None:
    found = json.loads(kit.kubectl("get", "infd", kept["metadata"]["name"], "-o", "json", "--show-managed-fields"))
    owned = [entry for entry in found["metadata"]["managedFields"] if entry["manager"] == FIELD_MANAGER]
    assert owned, "the operator writes status"
    assert {field for entry in owned for field in entry["fieldsV1"]} == {"f:status"}


def test_a_request_outlives_every_sync(kit: Kit, kept: dict[str, Any]) -> None:
    name = kept["metadata"]["name"]
    request = f"{ANNOTATION_REQUEST}=pause#sync"
    kit.kubectl("annotate", "infd", name, request)
    for arguments in APPLY.values():
        kit.kubectl(*arguments, stdin=json.dumps(kept))
    assert kit.get("infd", name)["metadata"]["annotations"][ANNOTATION_REQUEST] == "pause#sync"
    kit.kubectl("annotate", "infd", name, f"{ANNOTATION_REQUEST}=resume#sync-2", "--overwrite")


def test_a_change_taken_back_in_git_restarts_nothing(kit: Kit, kept: dict[str, Any]) -> None:
    """And `kubectl wait` tells the end of it, as the documentation has it."""
    name = kept["metadata"]["name"]
    serving = {pod["metadata"]["uid"] for pod in kit.pods(name) if is_stable(kit, name, pod)}
    reverted = {**kept, "spec": {**kept["spec"], "server": {**kept["spec"]["server"], "memoryUtilizationPercent": 85}}}
    kit.apply(reverted)
    kit.kubectl("wait", f"infd/{name}", "--for=condition=Reconciling=False", "--timeout=60s", deadline=70)
    kit.kubectl("wait", f"infd/{name}", "--for=condition=Ready", "--timeout=1s")
    eventually(lambda: {pod["metadata"]["uid"] for pod in kit.pods(name)} == serving, 30)


def is_stable(kit: Kit, name: str, pod: dict[str, Any]) -> bool:
    stable = kit.get("infd", name)["status"]["rollout"]["stable"]
    return bool(pod["metadata"]["labels"]["plimsoll.dev/revision"] == stable)
