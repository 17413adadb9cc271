"""An object at rest costs nothing, and an operator that ends and starts changes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cluster_kit import Kit, eventually
from light_server import light, ready
from plimsoll_sandbox.sandbox import Sandbox

pytestmark = pytest.mark.cluster

READS = {"get", "list", "watch"}
RESYNC_SECONDS = 10


@pytest.fixture(scope="module")
def resting(kit: Kit) -> str:
    ready(kit, light("resting", scaling={"scaleDownStabilization": "1s"}))
    # The autoscaler reports, and may shrink again: the last two things that change by themselves.
    eventually(lambda: kit.condition("resting", "ScalingActive").get("status") == "True", 120)
    time.sleep(2 * RESYNC_SECONDS)
    return "resting"


def requests_of(sandbox: Sandbox, account: str) -> Iterator[dict[str, Any]]:
    with sandbox.audit_log.open() as log:
        for line in log:
            event = json.loads(line)
            if event["user"].get("username") == account:
                yield event


def test_three_resyncs_of_an_object_at_rest_make_no_write(sandbox: Sandbox, installed: Kit, resting: str) -> None:
    account = f"system:serviceaccount:{installed.namespace}:plimsoll"
    before = sum(1 for _ in requests_of(sandbox, account))
    time.sleep(3 * RESYNC_SECONDS + 2)
    later = list(requests_of(sandbox, account))[before:]
    assert len([event for event in later if event["verb"] == "list"]) >= 3, "the operator did not resync"
    writes = [event for event in later if event["verb"] not in READS]
    about_it = [event for event in writes if resting in event["requestURI"]]
    assert about_it == []


def test_no_request_of_the_operator_is_refused(sandbox: Sandbox, installed: Kit, resting: str) -> None:
    del resting
    account = f"system:serviceaccount:{installed.namespace}:plimsoll"
    refused = [event for event in requests_of(sandbox, account) if event.get("responseStatus", {}).get("code") == 403]
    assert [(event["verb"], event["requestURI"]) for event in refused] == []


def leader(installed: Kit) -> str:
    """The operator's pod that holds the Lease; nothing when none does."""
    return installed.kubectl("get", "lease", "plimsoll", "-o", "jsonpath={.spec.holderIdentity}").partition("_")[0]


def test_a_leader_that_ends_and_the_one_that_follows_change_nothing(installed: Kit, kit: Kit, resting: str) -> None:
    def versions() -> dict[str, str]:
        return {child["metadata"]["uid"]: child["metadata"]["resourceVersion"] for child in kit.children(resting)}

    before = versions()
    first = leader(installed)
    installed.kubectl("delete", "pod", first, "--grace-period=1")
    eventually(lambda: leader(installed) not in ("", first), 60)
    installed.kubectl("rollout", "status", "deployment/plimsoll", "--timeout=60s")
    time.sleep(RESYNC_SECONDS + 2)
    assert versions() == before
    assert kit.condition(resting, "Ready")["status"] == "True"
