"""What is told of the autoscaler: whether it works, what it lacks, and what to do about it."""

from __future__ import annotations

from typing import Any

import pytest

from builders import Cluster
from plimsoll_operator.names import SATURATION_METRIC
from plimsoll_operator.observed import ObjectKey
from rollouts import autoscaled, autoscaled_spec_of, autoscaler_of, condition, spec_of

UNABLE = "the HPA was unable to compute the replica count: unable to get metric plimsoll_saturation_ratio: "
FETCH = f"{UNABLE}unable to fetch metrics from custom metrics API: "


def told(cluster: Cluster, *said: dict[str, str]) -> dict[str, Any]:
    """The condition after the autoscaler has said this of itself."""
    autoscaler = {**autoscaler_of(cluster.observed), "status": {"conditions": list(said)}}
    cluster.store({**cluster.observed.children, ObjectKey.of(autoscaler): autoscaler})
    cluster.reconcile()
    return condition(cluster.observed, "ScalingActive")


def says(kind: str, status: str, reason: str, message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def lacks_its_metric(message: str) -> dict[str, str]:
    return says("ScalingActive", "False", "FailedGetPodsMetric", message)


ACTIVE = says("ScalingActive", "True", "ValidMetricFound")


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        pytest.param(
            f"{FETCH}no custom metrics API (custom.metrics.k8s.io) registered",
            "nothing serves custom.metrics.k8s.io: install",
            id="no adapter",
        ),
        pytest.param(
            f"{FETCH}no known available metric versions found", "kubectl get apiservices", id="an adapter that is down"
        ),
        pytest.param(
            f"{FETCH}the server is currently unable to handle the request",
            "kubectl get apiservices",
            id="an adapter that fails",
        ),
        pytest.param(f"{UNABLE}no metrics returned from custom metrics API", "Prometheus scrapes", id="no series"),
        pytest.param(
            f"{FETCH}the server could not find the metric plimsoll_saturation_ratio for pods",
            "the rule of docs/scaling.md",
            id="no rule",
        ),
        pytest.param(f"{FETCH}something new", "something new", id="what nobody has seen yet"),
    ],
)
def test_a_missing_metric_is_named_first_then_why_and_what_the_autoscaler_says(message: str, advice: str) -> None:
    found = told(autoscaled(1), lacks_its_metric(message))
    assert (found["status"], found["reason"]) == ("False", "FailedGetPodsMetric")
    assert found["message"].startswith(f"{SATURATION_METRIC} is missing: ")
    assert advice in found["message"]
    assert found["message"].endswith(message)


def test_before_the_first_pod_is_ready_nothing_is_wrong_with_the_metric() -> None:
    cluster = Cluster(autoscaled_spec_of(1))
    cluster.broken = {"pvc://models/v1"}
    cluster.settle()
    assert "custom.metrics" not in told(cluster, lacks_its_metric("did not receive metrics"))["message"]


@pytest.mark.parametrize(
    ("said", "status", "reason", "words"),
    [
        pytest.param([ACTIVE], "True", "ValidMetricFound", "scaling on plimsoll_saturation_ratio", id="all is well"),
        pytest.param(
            [ACTIVE, says("ScalingLimited", "True", "TooManyReplicas")],
            "True",
            "ValidMetricFound",
            "more than maxReplicas 8",
            id="at its maximum",
        ),
        pytest.param(
            [ACTIVE, says("AbleToScale", "False", "FailedUpdateScale", "the quota is used up")],
            "False",
            "FailedUpdateScale",
            "the quota is used up",
            id="it may not scale",
        ),
        pytest.param(
            [says("ScalingActive", "False", "ScalingDisabled", "the replica count is zero")],
            "False",
            "ScalingDisabled",
            "the replica count is zero",
            id="no pod: not a matter of metrics",
        ),
        pytest.param(
            [says("ScalingActive", "False", "AmbiguousSelector", "another HPA")],
            "False",
            "AmbiguousSelector",
            "another HPA",
            id="somebody else's autoscaler works on the same pods",
        ),
        pytest.param([], "Unknown", "NotReported", "has not reported", id="nothing yet"),
    ],
)
def test_what_the_autoscaler_says_is_passed_on(
    said: list[dict[str, str]], status: str, reason: str, words: str
) -> None:
    found = told(autoscaled(1), *said)
    assert (found["status"], found["reason"]) == (status, reason)
    assert words in found["message"]


def test_during_a_rollout_it_is_told_that_pods_are_only_added() -> None:
    cluster = autoscaled(2, strategy="RollingUpdate")
    cluster.broken = {"pvc://models/v2"}
    cluster.change(autoscaled_spec_of(2, "RollingUpdate"))
    cluster.settle()
    assert "only up during a rollout and for 300 s after it" in told(cluster, ACTIVE)["message"]


def test_without_an_autoscaler_the_number_of_pods_is_told() -> None:
    cluster = Cluster(spec_of(1, 3))
    cluster.settle()
    found = condition(cluster.observed, "ScalingActive")
    assert (found["status"], found["reason"]) == ("False", "ProviderNone")
    assert "3 replicas" in found["message"]
