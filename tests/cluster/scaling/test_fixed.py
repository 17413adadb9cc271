"""Without an autoscaler the number of pods is what the spec says: none, some, or none again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cluster.scaling.scene import PATIENCE, Place, holding
from cluster_kit import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

NAME = "fixed"


@pytest.fixture
def fixed(place: Place) -> Iterator[Place]:
    place.kit.apply(holding(NAME, scaling={"provider": "None", "minReplicas": 2}))
    place.kit.wait_for(NAME, "Ready", "True", "Serving", PATIENCE)
    yield place
    place.kit.kubectl("delete", "infd", NAME, "--wait=false")


def scale(place: Place, **scaling: Any) -> None:
    place.kit.patch("infd", NAME, {"spec": {"scaling": scaling}})


def has(place: Place, pods: int) -> None:
    eventually(lambda: len(place.kit.pods(NAME)) == pods, PATIENCE, lambda: str(place.kit.get("infd", NAME)["status"]))


def autoscalers(place: Place) -> list[dict[str, Any]]:
    return place.kit.select("horizontalpodautoscalers", f"plimsoll.dev/name={NAME}")


def test_pods_are_parked_woken_and_handed_to_an_autoscaler_by_the_spec_alone(fixed: Place) -> None:
    has(fixed, 2)
    assert autoscalers(fixed) == []
    fixed.kit.wait_for(NAME, "ScalingActive", "False", "ProviderNone")

    scale(fixed, minReplicas=0)
    has(fixed, 0)
    fixed.kit.wait_for(NAME, "Ready", "True", "Parked")
    fixed.kit.wait_for(NAME, "Available", "False", "Parked")

    scale(fixed, minReplicas=2)
    fixed.kit.wait_for(NAME, "Ready", "True", "Serving", PATIENCE)
    has(fixed, 2)

    scale(fixed, minReplicas=1, provider="HPA")
    fixed.kit.wait_for(NAME, "ScalingActive", "True", "ValidMetricFound", PATIENCE)
    has(fixed, 1)

    scale(fixed, minReplicas=0, provider="None")
    has(fixed, 0)
    assert autoscalers(fixed) == []
