"""The metric's way to the autoscaler: through the rule that users get, and what is told where it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import yaml

from cluster.scaling.scene import PATIENCE, Place, holding
from cluster_kit import Kit, eventually
from helm_chart import CHART
from light_server import ready
from plimsoll_operator.names import SATURATION_METRIC

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

RULE = yaml.safe_load((CHART / "files" / "prometheus-adapter-rule.yaml").read_text(encoding="utf-8"))["rules"][0]
LABELS = {mapped["resource"]: label for label, mapped in RULE["resources"]["overrides"].items()}
ADAPTERS = ("apiservice/v1beta1.custom.metrics.k8s.io", "apiservice/v1beta2.custom.metrics.k8s.io")
PODS = 2


def rendered(namespace: str, pods: list[str]) -> str:
    """The rule's query as prometheus-adapter renders it: one pod by equality, several by a pattern."""
    chosen = f'="{pods[0]}"' if len(pods) == 1 else f'=~"{"|".join(pods)}"'
    matchers = f'{LABELS["namespace"]}="{namespace}",{LABELS["pod"]}{chosen}'
    fields = {"<<.Series>>": SATURATION_METRIC, "<<.LabelMatchers>>": matchers, "<<.GroupBy>>": LABELS["pod"]}
    query: str = RULE["metricsQuery"]
    for field, value in fields.items():
        query = query.replace(field, value)
    return query


def ask(place: Place, path: str, **parameters: Any) -> Any:
    answer = httpx.get(f"{place.sandbox.prometheus_url}/api/v1/{path}", params=parameters).json()
    assert answer["status"] == "success", answer
    return answer["data"]


def values(place: Place, query: str) -> dict[str, float]:
    """By pod. More than one value of a pod is no answer that prometheus-adapter could use."""
    found = [(item["metric"], float(item["value"][1])) for item in ask(place, "query", query=query)["result"]]
    assert all(list(labels) == [LABELS["pod"]] for labels, _ in found), found
    return {labels[LABELS["pod"]]: value for labels, value in found}


@pytest.fixture(scope="module")
def measured(place: Place) -> Iterator[list[str]]:
    """Pods that Prometheus has asked."""
    with place.under_load(holding("measured", scaling={"minReplicas": PODS})) as scene:
        scene.load.clients = PODS
        scene.serves_with(PODS)
        place.kit.wait_for(scene.name, "ScalingActive", "True", "ValidMetricFound", PATIENCE)
        pods = sorted(pod["metadata"]["name"] for pod in place.kit.pods(scene.name))
        eventually(lambda: set(pods) == set(values(place, rendered(place.kit.namespace, pods))), PATIENCE)
        yield pods


@pytest.mark.parametrize("count", [pytest.param(1, id="one-pod"), pytest.param(PODS, id="several")])
def test_the_charts_rule_finds_each_pod_once_and_no_other(place: Place, measured: list[str], count: int) -> None:
    asked = measured[:count]
    assert sorted(values(place, rendered(place.kit.namespace, asked))) == asked
    assert values(place, rendered("elsewhere", asked)) == {}


def test_it_discovers_every_series_that_it_can_attach_to_a_pod(place: Place, measured: list[str]) -> None:
    found = ask(place, "series", **{"match[]": RULE["seriesQuery"]})
    assert {series["__name__"] for series in found} == {SATURATION_METRIC}
    here = {series[LABELS["pod"]] for series in found if series[LABELS["namespace"]] == place.kit.namespace}
    assert here >= set(measured)


def test_both_adapters_would_tell_the_autoscaler_of_the_same_pods(place: Place, measured: list[str]) -> None:
    path = f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/{place.kit.namespace}/pods/*/{SATURATION_METRIC}"
    answer = json.loads(place.kit.kubectl("get", "--raw", f"{path}?labelSelector=plimsoll.dev%2Fname%3Dmeasured"))
    assert sorted(item["describedObject"]["name"] for item in answer["items"]) == measured


def test_what_is_missing_is_told_with_the_metrics_name_and_what_to_do(place: Place) -> None:
    name = "unmeasured"
    ready(place.kit, holding(name, model={"uri": "hf://org/model:" + "0" * 40, "family": "unmeasured"}))
    try:
        is_told(place.kit, name, "the adapter has no value of it for these pods: see that Prometheus scrapes")
        with without_an_adapter(place.kit):
            is_told(place.kit, name, "nothing serves custom.metrics.k8s.io: install a metrics adapter")
        assert place.kit.condition(name, "Ready")["status"] == "True"
    finally:
        place.kit.kubectl("delete", "infd", name, "--wait=false")


def is_told(kit: Kit, name: str, words: str) -> None:
    def told() -> bool:
        found = kit.condition(name, "ScalingActive")
        said = str(found["message"]).startswith(f"{SATURATION_METRIC} is missing: {words}")
        return said and found["status"] == "False"

    eventually(told, PATIENCE, lambda: str(kit.condition(name, "ScalingActive")))


@contextmanager
def without_an_adapter(kit: Kit) -> Iterator[None]:
    """Nobody serves custom metrics until the block ends."""
    registered = [json.loads(kit.kubectl("get", adapter, "-o", "json")) for adapter in ADAPTERS]
    kit.kubectl("delete", *ADAPTERS)
    try:
        yield
    finally:
        for adapter in registered:
            kit.apply({**adapter, "metadata": {"name": adapter["metadata"]["name"]}})
        kit.kubectl("wait", "--for=condition=Available", *ADAPTERS, "--timeout=60s")
