"""A scale-up that a quota refuses: what serves goes on, and the object says what is asked for and not there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from cluster.truth.test_truth import SUMS, warnings
from cluster_kit import Kit
from light_server import light, ready
from operator_process import OperatorProcess

pytestmark = pytest.mark.cluster

NAME, PLACE = "growing", "truth-scale-up"


@pytest.fixture
def refused(kit: Kit, operator: OperatorProcess) -> Iterator[Kit]:
    """One pod serves, three are asked for in the autoscaler's place, and the quota has room for one."""
    del operator
    kit.kubectl("create", "namespace", PLACE)
    place = dataclasses.replace(kit, namespace=PLACE)
    place.kubectl("create", "quota", "tight", "--hard=pods=1")
    ready(place, light(NAME))
    place.kubectl("scale", "deployment", "--all", "--replicas=3")
    yield place
    kit.kubectl("delete", "namespace", PLACE, "--wait=false")


def test_it_is_told_with_one_event_and_without_a_word_in_ready(refused: Kit) -> None:
    told = refused.wait_for(NAME, "FullyScaled", "False", "PodsRefused", deadline=120)
    assert "1 of 3 pods" in told["message"]
    assert "exceeded quota: tight" in told["message"]
    assert tuple(refused.condition(NAME, kind)["status"] for kind in SUMS) == ("True", "True", "False", "False")
    assert [event["reason"] for event in warnings(refused)] == ["PodsRefused"]

    refused.kubectl("scale", "deployment", "--all", "--replicas=1")
    refused.wait_for(NAME, "FullyScaled", "True", "AsAsked")
