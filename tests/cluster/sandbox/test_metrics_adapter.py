"""What the HorizontalPodAutoscaler reads: custom.metrics.k8s.io through the aggregated API, from Prometheus."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from cluster_kit import Kit, KubectlError, eventually
from pod_manifests import make_shell, wait_for_ready

pytestmark = pytest.mark.cluster

API = "/apis/custom.metrics.k8s.io/v1beta2"
EXPORTER = """
import http.server, os
class Exporter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(os.environ["METRICS"].encode())
http.server.HTTPServer((os.environ["POD_IP"], 9090), Exporter).serve_forever()
"""

# What each pod exports; `replica` and `inference_namespace` are filled in.
EXPORTS = {
    "busy": {"plimsoll_saturation_ratio": ["0.71"], "plimsoll_requests_total": ["7"]},
    "two-tiers": {"plimsoll_saturation_ratio": ["0.25"], "plimsoll_queue_tokens": ["10", "30", "20"]},
    "undefined": {"plimsoll_saturation_ratio": ["NaN"]},
    "endless": {"plimsoll_saturation_ratio": ["+Inf"]},
    "silent": {},
}


def make_exporter(name: str, namespace: str, exports: dict[str, list[str]]) -> dict[str, Any]:
    labels = f'inference_namespace="{namespace}",replica="{name}"'
    lines = [
        f'{metric}{{{labels},tier="{tier}"}} {value}'
        for metric, values in exports.items()
        for tier, value in enumerate(values)
    ]
    # A pod of the same name elsewhere must not answer for this one.
    lines.append(f'plimsoll_saturation_ratio{{inference_namespace="elsewhere",replica="{name}"}} 9')
    pod = make_shell(
        f'exec "{sys.executable}" -c "$EXPORTER"',
        name=name,
        env=[{"name": "EXPORTER", "value": EXPORTER}, {"name": "METRICS", "value": "\n".join([*lines, ""])}],
        readinessProbe={"httpGet": {"path": "/", "port": 9090}, "periodSeconds": 1},
    )
    pod["metadata"]["labels"]["exports"] = "yes"
    pod["metadata"]["annotations"] = {"prometheus.io/scrape": "true", "prometheus.io/port": "9090"}
    return pod


@pytest.fixture(scope="module")
def exporters(shared_kit: Kit) -> Kit:
    """The pods of EXPORTS, scraped."""
    for name, exports in EXPORTS.items():
        shared_kit.apply(make_exporter(name, shared_kit.namespace, exports))
    for name in EXPORTS:
        wait_for_ready(shared_kit, name)
    eventually(lambda: len(values_of(shared_kit, "plimsoll_saturation_ratio")) == 2, deadline=60)
    return shared_kit


def ask(kit: Kit, path: str) -> list[dict[str, Any]]:
    answer = json.loads(kit.kubectl("get", "--raw", f"{API}/namespaces/{kit.namespace}/{path}"))
    items: list[dict[str, Any]] = answer["items"]
    return items


def values_of(kit: Kit, metric: str, selector: str = "exports%3Dyes") -> dict[str, str]:
    items = ask(kit, f"pods/*/{metric}?labelSelector={selector}")
    return {item["describedObject"]["name"]: item["value"] for item in items}


def test_pods_with_a_number_answer_and_the_others_are_left_out(exporters: Kit) -> None:
    assert values_of(exporters, "plimsoll_saturation_ratio") == {"busy": "710m", "two-tiers": "250m"}


def test_a_pod_with_several_series_answers_with_its_worst(exporters: Kit) -> None:
    assert values_of(exporters, "plimsoll_queue_tokens") == {"two-tiers": "30"}


def test_only_the_selected_pods_answer(exporters: Kit) -> None:
    assert values_of(exporters, "plimsoll_saturation_ratio", "app%3Dbusy") == {"busy": "710m"}
    assert values_of(exporters, "plimsoll_saturation_ratio", "app%3Dnone") == {}


def test_one_pod_can_be_asked_by_its_name(exporters: Kit) -> None:
    (item,) = ask(exporters, "pods/busy/plimsoll_saturation_ratio")
    assert item["value"] == "710m"
    assert item["describedObject"] == {
        "kind": "Pod",
        "apiVersion": "v1",
        "namespace": exporters.namespace,
        "name": "busy",
    }


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("pods/silent/plimsoll_saturation_ratio", "NotFound", id="a-pod-without-the-metric"),
        pytest.param("pods/undefined/plimsoll_saturation_ratio", "NotFound", id="a-pod-whose-metric-is-no-number"),
        pytest.param("pods/*/plimsoll_requests_total", "NotFound", id="a-counter-which-is-no-level"),
        pytest.param("pods/*/process_open_fds", "NotFound", id="a-metric-of-others"),
        pytest.param("services/*/plimsoll_saturation_ratio", "NotFound", id="a-kind-that-is-no-pod"),
        pytest.param(
            "pods/*/plimsoll_saturation_ratio?metricLabelSelector=tier%3D0", "BadRequest", id="a-metric-selector"
        ),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_reason(exporters: Kit, path: str, reason: str) -> None:
    with pytest.raises(KubectlError, match=rf"Error from server \({reason}\)"):
        ask(exporters, path)


def test_discovery_lists_levels_and_no_counters(exporters: Kit) -> None:
    listed = {item["name"] for item in json.loads(exporters.kubectl("get", "--raw", API))["resources"]}
    assert {"pods/plimsoll_saturation_ratio", "pods/plimsoll_queue_tokens"} <= listed
    assert "pods/plimsoll_requests_total" not in listed


def test_who_is_nobody_learns_nothing(exporters: Kit) -> None:
    path = f"{API}/namespaces/{exporters.namespace}/pods/*/plimsoll_saturation_ratio"
    with pytest.raises(KubectlError, match="Forbidden"):
        exporters.kubectl("get", "--raw", path, "--as", "system:anonymous")
