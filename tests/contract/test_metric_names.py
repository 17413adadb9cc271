"""The server's metrics under the names that others ask for: the autoscaler, both adapters, the demo."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from builders import PROFILES, make_spec
from plimsoll_operator.desired.pod import pod_template
from plimsoll_operator.names import METRICS_PORT, SATURATION_METRIC
from plimsoll_operator.spec import parse_spec
from plimsoll_sandbox.demo.scaling import QUERY
from plimsoll_server.telemetry import Identity, Telemetry

ROOT = Path(__file__).resolve().parents[2]
IDENTITY = Identity(namespace="guardrails", deployment="domains", revision="abc", replica="domains-abc-1")
COMMON = {"inference_namespace", "inference_deployment", "revision", "replica"}

FROZEN = {
    "plimsoll_requests_total": {"tier", "outcome"},
    "plimsoll_request_duration_seconds_bucket": {"tier", "le"},
    "plimsoll_oom_total": {"tier"},
    "plimsoll_batches_total": {"tier"},
    "plimsoll_incidents_total": {"tier"},
    "plimsoll_saturation_ratio": set[str](),
    "plimsoll_load_line_concurrency": {"tier"},
    "plimsoll_queue_tokens": {"tier"},
    "plimsoll_device_memory_bytes": {"kind"},
    "plimsoll_tls_certificate_expiry_timestamp_seconds": set[str](),
}
"""Names and own labels that dashboards, alerts and queries may rely on."""


@pytest.fixture(scope="module")
def emitted() -> dict[str, set[str]]:
    """Every series name of a server with two tiers, with its labels."""
    telemetry = Telemetry(IDENTITY, ["short", "long"])
    telemetry.set_load(0.5, {"short": 0, "long": 7})
    telemetry.set_load_line("short", 4)
    telemetry.set_memory(1, 2)
    telemetry.set_certificate_expiry(1.0)
    telemetry.request_done("short", "ok", 0.1)
    text = generate_latest(telemetry.registry).decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {sample.name: set(sample.labels) for sample in samples}


@pytest.mark.parametrize("name", FROZEN)
def test_a_frozen_metric_is_emitted_with_its_labels(emitted: dict[str, set[str]], name: str) -> None:
    assert emitted[name] == COMMON | FROZEN[name]


def test_the_autoscaler_asks_for_a_metric_that_is_emitted(emitted: dict[str, set[str]]) -> None:
    assert SATURATION_METRIC in emitted


def test_the_rule_for_prometheus_adapter_selects_by_labels_that_are_emitted(emitted: dict[str, set[str]]) -> None:
    text = (ROOT / "charts/plimsoll/files/prometheus-adapter-rule.yaml").read_text(encoding="utf-8")
    [rule] = yaml.safe_load(text)["rules"]
    assert set(rule["resources"]["overrides"]) <= emitted[SATURATION_METRIC]
    assert rule["seriesQuery"].startswith(f"{SATURATION_METRIC}{{")


def test_the_sandboxs_adapter_selects_by_labels_that_are_emitted(emitted: dict[str, set[str]]) -> None:
    source = (ROOT / "sandbox/controlplane/metricsadapter/prometheus.go").read_text(encoding="utf-8")
    labels = set(re.findall(r'^\t\w+Label\s*=\s*"(\w+)"', source, flags=re.MULTILINE))
    assert labels
    assert labels <= emitted[SATURATION_METRIC]


def test_the_demos_query_names_what_is_emitted(emitted: dict[str, set[str]]) -> None:
    found = re.search(r"(plimsoll_\w+)\{(.+)\}", QUERY)
    assert found
    assert set(re.findall(r"(\w+)=", found.group(2))) <= emitted[found.group(1)]


def test_pods_announce_the_port_on_which_the_metrics_are() -> None:
    template = pod_template("domains", parse_spec(make_spec()), PROFILES["nvidia-l4"], None, "plimsoll/server:1")
    annotations = template["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/port"] == str(METRICS_PORT)
