"""An object at rest costs nothing, and an operator that ends and starts changes nothing."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from audit_tail import whole_lines
from cluster_kit import Kit, eventually
from light_server import light, ready
from plimsoll_sandbox.sandbox import Sandbox

pytestmark = pytest.mark.cluster

READS = {"get", "list", "watch"}
RESYNC_SECONDS = 10
NAME = "resting"


@pytest.fixture(scope="module")
def resting(installed: Kit) -> Iterator[Kit]:
    """A namespace of its own with one object at rest in it: whatever is written there is about that one."""
    kit = dataclasses.replace(installed, namespace=NAME)
    kit.kubectl("create", "namespace", NAME)
    ready(kit, light(NAME, scaling={"scaleDownStabilization": "1s"}))
    # The autoscaler reports, and may shrink again: the last two things that change by themselves.
    eventually(lambda: kit.condition(NAME, "ScalingActive").get("status") == "True", 120)
    time.sleep(2 * RESYNC_SECONDS)
    yield kit
    kit.kubectl("delete", "namespace", NAME, "--wait=false")


def requests_of(sandbox: Sandbox, account: str, since: datetime) -> Iterator[dict[str, Any]]:
    """What it has asked since then."""
    for event in (json.loads(line) for line in whole_lines(sandbox.audit_log) if account in line):
        asked = datetime.fromisoformat(event["requestReceivedTimestamp"])
        if event["user"].get("username") == account and asked > since:
            yield event


def test_three_resyncs_of_an_object_at_rest_write_nothing_but_the_lease(
    sandbox: Sandbox, installed: Kit, resting: Kit
) -> None:
    account = f"system:serviceaccount:{installed.namespace}:plimsoll"
    began = datetime.now(UTC)
    time.sleep(3 * RESYNC_SECONDS + 2)
    later = list(requests_of(sandbox, account, began))
    assert len([event for event in later if event["verb"] == "list"]) >= 3, "the operator did not resync"
    # A POST, such as an Event's, names no object: by the namespace alone can it be told whom it is about.
    nobody_elses = {resting.namespace, installed.namespace, ""}
    written = [about(event) for event in later if event["verb"] not in READS]
    assert {what for what in written if what[1] in nobody_elses} == {("leases", installed.namespace)}


def about(event: dict[str, Any]) -> tuple[str, str]:
    """Resource and namespace of a request."""
    return event["objectRef"]["resource"], event["objectRef"].get("namespace", "")


def leader(installed: Kit) -> str:
    """The operator's pod that holds the Lease; nothing when none does."""
    return installed.kubectl("get", "lease", "plimsoll", "-o", "jsonpath={.spec.holderIdentity}").partition("_")[0]


def test_a_leader_that_ends_and_the_one_that_follows_change_nothing(installed: Kit, resting: Kit) -> None:
    def versions() -> dict[str, str]:
        return {child["metadata"]["uid"]: child["metadata"]["resourceVersion"] for child in resting.children(NAME)}

    before = versions()
    first = leader(installed)
    installed.kubectl("delete", "pod", first, "--grace-period=1")
    eventually(lambda: leader(installed) not in ("", first), 60)
    installed.kubectl("rollout", "status", "deployment/plimsoll", "--timeout=120s", deadline=150)
    time.sleep(RESYNC_SECONDS + 2)
    assert versions() == before
    assert resting.condition(NAME, "Ready")["status"] == "True"
