"""Recreate stops no pod for another that the cluster would not take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cluster.upgrades.conftest import Operator
from cluster_kit import Kit, eventually
from light_server import light, ready

pytestmark = pytest.mark.cluster


@pytest.fixture
def quota(kit: Kit) -> Iterator[str]:
    """Room for this one pod, and for no larger one."""
    kit.kubectl("delete", "infd", "--all")
    eventually(lambda: not kit.select("pods"), 60, lambda: kit.kubectl("get", "pods"))
    kit.kubectl("create", "quota", "tight", "--hard=pods=1,requests.memory=256Mi")
    yield "tight"
    kit.kubectl("delete", "quota", "tight", "--ignore-not-found")


def recreated(memory: str, **server: Any) -> dict[str, Any]:
    resources = {"limits": {"memory": memory}}
    return light("recreated", rollout={"strategy": "Recreate"}, server={"resources": resources, **server})


def test_a_quota_that_refuses_the_new_pod_leaves_the_old_one_serving(kit: Kit, operator: Operator, quota: str) -> None:
    with operator():
        ready(kit, recreated("256Mi"))
        [old] = kit.pods("recreated")
        kit.apply(recreated("512Mi"))
        told = kit.wait_for("recreated", "Stalled", "True", "WriteRefused")
        assert "exceeded quota: tight" in told["message"]
        assert kit.condition("recreated", "Available")["status"] == "True"
        [still] = kit.pods("recreated")
        assert still["metadata"]["uid"] == old["metadata"]["uid"]

        # The quota that the old pod itself fills is no reason to hold one of the same size.
        kit.apply(recreated("256Mi", memoryUtilizationPercent=80))
        kit.wait_for("recreated", "Ready", "True", deadline=120)
        [new] = kit.pods("recreated")
        assert new["metadata"]["uid"] != old["metadata"]["uid"]
