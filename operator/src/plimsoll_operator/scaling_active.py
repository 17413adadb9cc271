"""Does the autoscaler work? What it says itself, and what to do where its metric is missing."""

from __future__ import annotations

from plimsoll_operator.conditions import Condition
from plimsoll_operator.names import METRICS_PORT, SATURATION_METRIC
from plimsoll_operator.observed import Manifest, ObjectKey
from plimsoll_operator.steps.children import AUTOSCALER
from plimsoll_operator.steps.draft import Draft

KIND = "ScalingActive"

_API = "custom.metrics.k8s.io"
_NO_ADAPTER = f"nothing serves {_API}: install a metrics adapter with the rule of docs/scaling.md"
_ADAPTER_AWAY = f"what serves {_API} gives no answer: `kubectl get apiservices` and the adapter's log say why"
_NO_VALUE = (
    f"the adapter has no value of it for these pods: see that Prometheus scrapes their port {METRICS_PORT}, and that "
    "the adapter has the rule of docs/scaling.md"
)
_WHY_MISSING = (
    ("no custom metrics API", _NO_ADAPTER),
    ("no metrics returned", _NO_VALUE),
    ("did not receive metrics", _NO_VALUE),
    ("could not find the", _NO_VALUE),
    ("no known available metric versions", _ADAPTER_AWAY),
    ("unable to handle the request", _ADAPTER_AWAY),
)
"""By the words of the controller and of its clients, which give no code for it. Others are passed on as they are."""


def scaling_active(draft: Draft) -> Condition:
    """The condition `ScalingActive`: no part of whether the object is ready, since what serves goes on serving."""
    scaling = draft.spec.scaling
    if not scaling.autoscaled:
        message = f"spec.scaling.provider is None: {scaling.min_replicas} replicas, as minReplicas says"
        return Condition(KIND, "False", "ProviderNone", message)
    live = draft.observed.children.get(ObjectKey(*AUTOSCALER, draft.observed.owner.name))
    reported = _reported(live, "ScalingActive")
    if live is None or reported is None:
        return Condition(KIND, "Unknown", "NotReported", "the autoscaler has not reported yet")
    unable = _reported(live, "AbleToScale")
    if unable is not None and unable["status"] == "False":
        return Condition(KIND, "False", _reason(unable), _message(unable))
    if reported["status"] == "True":
        return Condition(KIND, "True", "ValidMetricFound", f"scaling on {SATURATION_METRIC}{_bounds(draft, live)}")
    missing = "Metric" in _reason(reported) and draft.observed.ready
    return Condition(KIND, "False", _reason(reported), _missing(reported) if missing else _message(reported))


def _missing(reported: Manifest) -> str:
    """The cause first; the controller's own words last, in which the metric's name comes late."""
    said = _message(reported)
    cause = next((cause for words, cause in _WHY_MISSING if words in said), _ADAPTER_AWAY)
    return (
        f"{SATURATION_METRIC} is missing: {cause}. Until then no pod is added or removed. The autoscaler says: {said}"
    )


def _bounds(draft: Draft, live: Manifest) -> str:
    """What keeps it from the number that it would like."""
    limited = _reported(live, "ScalingLimited")
    if limited is not None and limited["status"] == "True" and _reason(limited) == "TooManyReplicas":
        return f", which asks for more than maxReplicas {live['spec']['maxReplicas']}"
    if live["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Disabled":
        window = int(draft.spec.scaling.scale_down_stabilization.total_seconds())
        return f", only up during a rollout and for {window} s after it: what it remembers is another revision's load"
    return ""


def _reported(live: Manifest | None, kind: str) -> Manifest | None:
    conditions = live.get("status", {}).get("conditions", ()) if live else ()
    return next((condition for condition in conditions if condition["type"] == kind), None)


def _reason(reported: Manifest) -> str:
    return str(reported.get("reason", "Unknown"))


def _message(reported: Manifest) -> str:
    return str(reported.get("message", ""))
