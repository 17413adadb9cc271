"""The server's metrics under the names that others ask for: the autoscaler, both adapters, the demo."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from builders import PROFILES, make_spec
from emitted_metrics import IDENTITY, server_metrics
from plimsoll_operator.desired.pod import pod_template
from plimsoll_operator.names import METRICS_PORT, SATURATION_METRIC
from plimsoll_operator.rollout.measuring.measurements import Inquiry
from plimsoll_operator.rollout.measuring.sampling import query
from plimsoll_operator.rollout.measuring.signals import EVERY, SERVED, SIGNALS, Signal, Tally
from plimsoll_operator.spec import parse_spec
from plimsoll_sandbox.demo.scaling import QUERY
from plimsoll_server.telemetry import OUTCOMES, Telemetry
from plimsoll_server.types import BatchReport

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)
INQUIRY = Inquiry("guardrails", "domains", "new", "old", NOW, NOW, NOW, timedelta(seconds=10), 4)
COMMON = {"inference_namespace", "inference_deployment", "revision", "replica"}

FROZEN = {
    "plimsoll_requests_total": {"tier", "outcome"},
    "plimsoll_request_duration_seconds_bucket": {"tier", "le"},
    "plimsoll_request_duration_by_size_seconds_bucket": {"tier", "size", "le"},
    "plimsoll_remembered_request_duration_seconds_bucket": {"tier", "le"},
    "plimsoll_oom_total": {"tier"},
    "plimsoll_batches_total": {"tier"},
    "plimsoll_incidents_total": {"tier"},
    "plimsoll_saturation_ratio": set[str](),
    "plimsoll_load_line_concurrency": {"tier"},
    "plimsoll_load_line_tokens": {"tier"},
    "plimsoll_load_line_factor": set[str](),
    "plimsoll_bytes_per_token": set[str](),
    "plimsoll_queue_tokens": {"tier"},
    "plimsoll_answers_total": {"source"},
    "plimsoll_cache_faults_total": set[str](),
    "plimsoll_cache_bytes": set[str](),
    "plimsoll_circuit_open": set[str](),
    "plimsoll_device_memory_bytes": {"kind"},
    "plimsoll_start_phase_seconds": {"phase"},
    "plimsoll_worker_up": {"worker"},
    "plimsoll_worker_batches_total": {"worker"},
    "plimsoll_worker_restarts_total": {"worker"},
    "plimsoll_gpu_memory_bytes": {"device", "kind"},
    "plimsoll_gpu_utilization_ratio": {"device"},
    "plimsoll_tls_certificate_expiry_timestamp_seconds": set[str](),
}
"""Names and own labels that dashboards, alerts and queries may rely on."""


@pytest.fixture(scope="module")
def emitted() -> dict[str, set[str]]:
    return server_metrics()


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


@pytest.mark.parametrize("signal", SIGNALS, ids=[signal.name for signal in SIGNALS])
def test_a_signals_query_names_metrics_and_labels_that_are_emitted(
    emitted: dict[str, set[str]], signal: Signal
) -> None:
    query = signal.query(INQUIRY)
    kept, selectors = re.fullmatch(r"max by \((.+)\) \(\{(.+)\}\)", query).groups()  # type: ignore[union-attr]
    names, *others = re.findall(r'(\w+)=~?"([^"]*)"', selectors)
    assert names[0] == "__name__"
    for metric in names[1].split("|"):
        assert {label for label, _ in others} <= emitted[metric]
    own = set().union(*(emitted[metric] for metric in names[1].split("|")))
    assert set(kept.split(", ")) == {"__name__"} | own - {"inference_namespace", "inference_deployment"}


def test_the_query_for_scrapes_names_what_is_emitted_once_by_each_server(emitted: dict[str, set[str]]) -> None:
    metric, selectors = re.fullmatch(r"timestamp\((\w+)\{(.+)\}\)", query(INQUIRY)).groups()  # type: ignore[union-attr]
    assert {label for label, _ in re.findall(r'(\w+)=~?"([^"]*)"', selectors)} <= emitted[metric] == COMMON


@pytest.mark.parametrize("signal", SIGNALS, ids=[signal.name for signal in SIGNALS])
def test_a_signal_has_a_row_in_the_docs_that_names_its_metrics(signal: Signal) -> None:
    rows = re.findall(rf"^\| `{signal.name}` \| (.+?) \|", (ROOT / "docs/operator.md").read_text(), flags=re.MULTILINE)
    assert [sorted(re.findall(r"`(\w+)`", row)) for row in rows] == [sorted(signal.metrics)]


def test_every_outcome_that_the_server_knows_is_compared() -> None:
    assert set(OUTCOMES) == EVERY


def test_what_a_server_emits_is_counted_by_every_signal() -> None:
    """From the server's own page to the counts, with nothing written by hand between."""
    telemetry = Telemetry(IDENTITY, ["short"])
    pages = [_page(telemetry)]
    for outcome in OUTCOMES:
        telemetry.request_done("short", outcome, 0.3)
    telemetry.batch_done("short", BatchReport((), out_of_memory=True))
    grown = {kind: value - pages[0].get(kind, 0.0) for kind, value in _page(telemetry).items()}
    told = {
        signal.name: signal.count({kind: grown[kind] for kind in grown if kind[0] in signal.metrics})
        for signal in SIGNALS
    }
    assert told["errors"][""].exposures == len(SERVED)
    assert told["errors"][""].bad > 0
    assert told["errors"]["requests"] == Tally(len(SERVED), len(SERVED) - 1)
    assert told["errors"]["abandoned"] == Tally(len(SERVED) + 1, 1)
    assert told["errors"]["refused"] == Tally(len(OUTCOMES), 3)
    batches = told["oom"]["batches"]
    assert (batches.exposures, batches.bad) == (1, 1)
    assert (told["latency"]["0.25"].bad, told["latency"]["0.4"].bad) == (1, 0)


def _page(telemetry: Telemetry) -> dict[tuple[str, str], float]:
    """Counters of tier short as Prometheus would hold them, by metric and its own label."""
    samples = text_string_to_metric_families(generate_latest(telemetry.registry).decode())
    own = {metric: signal.label for signal in SIGNALS for metric in signal.metrics}
    return {
        (sample.name, sample.labels.get(own[sample.name], "")): sample.value
        for family in samples
        for sample in family.samples
        if sample.name in own and sample.labels["tier"] == "short"
    }


def test_pods_announce_the_port_on_which_the_metrics_are() -> None:
    template = pod_template("domains", parse_spec(make_spec()), PROFILES["nvidia-l4"], None, "plimsoll/server:1")
    annotations = template["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/port"] == str(METRICS_PORT)
