"""Pods whose number the spec states: parked, woken, handed to an autoscaler, and parked again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cluster.scaling.scene import PATIENCE, Place, holding
from cluster_kit import eventually

NAME = "fixed"


@dataclass(frozen=True)
class Fixed:
    """How many autoscalers there were."""

    without: int
    handed_over: int
    parked_again: int


def park(place: Place) -> Fixed:
    place.kit.apply(holding(NAME, scaling={"provider": "None", "minReplicas": 2}))
    try:
        _has(place, 2, "Serving")
        place.kit.wait_for(NAME, "ScalingActive", "False", "ProviderNone", PATIENCE)
        without = _autoscalers(place)

        _scale(place, minReplicas=0)
        _has(place, 0, "Parked")
        _scale(place, minReplicas=2)
        _has(place, 2, "Serving")

        _scale(place, minReplicas=1, provider="HPA")
        place.kit.wait_for(NAME, "ScalingActive", "True", "ValidMetricFound", PATIENCE)
        _has(place, 1, "Serving")
        handed_over = _autoscalers(place)

        _scale(place, minReplicas=0, provider="None")
        _has(place, 0, "Parked")
        return Fixed(without, handed_over, _autoscalers(place))
    finally:
        place.kit.kubectl("delete", "infd", NAME, "--wait=false")


def _scale(place: Place, **scaling: Any) -> None:
    place.kit.patch("infd", NAME, {"spec": {"scaling": scaling}})


def _has(place: Place, pods: int, reason: str) -> None:
    place.kit.wait_for(NAME, "Ready", "True", reason, PATIENCE)
    eventually(lambda: len(place.kit.pods(NAME)) == pods, PATIENCE, lambda: str(place.kit.get("infd", NAME)["status"]))


def _autoscalers(place: Place) -> int:
    return len(place.kit.select("horizontalpodautoscalers", f"plimsoll.dev/name={NAME}"))
