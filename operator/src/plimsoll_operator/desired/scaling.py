"""Who sets the number of pods, and how many of them may be drained: the autoscaler and the PodDisruptionBudget.

A new scaler is a builder here and its entry in `SCALERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from plimsoll_operator.desired.metadata import child_metadata
from plimsoll_operator.names import LABEL_NAME, SATURATION_METRIC
from plimsoll_operator.observed import Owner
from plimsoll_operator.spec import Spec

SCALE_UP_PERIOD_SECONDS = 15
SCALE_UP_PODS = 4


class Scaler(Protocol):
    """What makes the object that scales one Deployment on the mean saturation of its pods."""

    def __call__(
        self, owner: Owner, spec: Spec, deployment: str, *, least: int, most: int, may_shrink: bool
    ) -> dict[str, Any]: ...


def autoscaler(owner: Owner, spec: Spec, deployment: str, *, least: int, most: int, may_shrink: bool) -> dict[str, Any]:
    """Autoscaler of the Deployment that serves, on the mean saturation of its pods; 1.0 is the load line.

    `least` and `most` are its bounds. During a rollout, and a while after it, it may not shrink but only raise: its
    history is kept by its name, not by its target, and would shrink a revision that has just taken over.
    """
    scale_down: dict[str, Any] = {
        "stabilizationWindowSeconds": int(spec.scaling.scale_down_stabilization.total_seconds()),
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
        "selectPolicy": "Max" if may_shrink else "Disabled",
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": child_metadata(owner, owner.name),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [_saturation(spec.scaling.target_saturation_percent)],
            "behavior": {
                "scaleUp": {
                    "stabilizationWindowSeconds": 0,
                    "policies": [
                        {"type": "Percent", "value": 100, "periodSeconds": SCALE_UP_PERIOD_SECONDS},
                        {"type": "Pods", "value": SCALE_UP_PODS, "periodSeconds": SCALE_UP_PERIOD_SECONDS},
                    ],
                    "selectPolicy": "Max",
                },
                "scaleDown": scale_down,
            },
        },
    }


def _saturation(percent: int) -> dict[str, Any]:
    return {
        "type": "Pods",
        "pods": {
            "metric": {"name": SATURATION_METRIC},
            "target": {"type": "AverageValue", "averageValue": f"{percent * 10}m"},
        },
    }


SCALERS: Mapping[str, Scaler] = {"HPA": autoscaler}
"""By the name that `spec.scaling.provider` gives them. With None, `minReplicas` is the number of pods."""


def disruption_budget(owner: Owner) -> dict[str, Any]:
    """One pod at a time may be drained; a minimum would make the node of a single replica undrainable."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": child_metadata(owner, owner.name),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {LABEL_NAME: owner.name}}},
    }
