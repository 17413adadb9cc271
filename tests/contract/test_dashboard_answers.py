"""Every panel shows something: its queries are answered by a real Prometheus that scrapes the real pages."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from emitted_metrics import judging_operator, keep_busy
from free_ports import free_port
from helm_chart import CHART
from plimsoll_operator.listener import listening
from plimsoll_operator.telemetry import Telemetry as OperatorTelemetry
from plimsoll_sandbox.toolchain import Tools
from plimsoll_server.engine.fleet.gpus import GpuReading
from plimsoll_server.metrics_port import MetricsPort
from plimsoll_server.telemetry import SOURCES, Identity
from plimsoll_server.telemetry import Telemetry as ServerTelemetry
from plimsoll_server.types import BatchReport
from prometheus_process import PrometheusProcess, running_prometheus
from promql import filled_in

DEADLINE_SECONDS = 90
PANELS = [
    pytest.param(target["expr"], id=f"{path.stem} - {panel['title']} - {target['refId']}")
    for path in sorted((CHART / "dashboards").glob("*.json"))
    for panel in json.loads(path.read_text("utf-8"))["panels"]
    for target in panel.get("targets", ())
]


@dataclass(frozen=True)
class Fleet:
    """A stable pod, a canary's and an operator, scraped twice each, as where annotations and a PodMonitor overlap."""

    prometheus: PrometheusProcess
    servers: tuple[ServerTelemetry, ...]
    operator: OperatorTelemetry

    def goes_on(self) -> None:
        """Something of everything happens."""
        keep_busy(self.operator)
        for server in self.servers:
            for outcome in ("ok", "remembered", "rejected", "error"):
                server.request_done("short", outcome, 0.1)
            server.batch_done("short", BatchReport((), out_of_memory=True))
            server.request_done(None, "limited", 0.1)
            for source in SOURCES:
                server.answers_came(source, 1)
            server.cache_failed()
            server.rate_limit_failed()
            server.devices.worker_batch(0)
            server.devices.worker_replaced(0)

    def shows(self, query: str) -> list[dict[str, str]]:
        """The labels of each series in the answer, waited for while the fleet goes on."""
        end = time.monotonic() + DEADLINE_SECONDS
        while not (answer := self._answer(query)):
            assert time.monotonic() < end, f"no series for {query}"
            self.goes_on()
            time.sleep(0.2)
        return [series["metric"] for series in answer]

    def _answer(self, query: str) -> list[Any]:
        filled = filled_in(query, namespace="guardrails", deployment="domains")
        encoded = urllib.parse.urlencode({"query": filled})
        with urllib.request.urlopen(f"{self.prometheus.url}/api/v1/query?{encoded}", timeout=30) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
        return found


@pytest.fixture(scope="module")
def fleet(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    servers = tuple(_server(revision) for revision in ("abc", "def"))
    operator = judging_operator()
    ports = [free_port() for _ in servers]
    page = free_port()
    with ExitStack() as stack:
        for server, port in zip(servers, ports, strict=True):
            stack.callback(MetricsPort(server.registry, "127.0.0.1", port).close)
        stack.enter_context(listening("127.0.0.1", page, "metrics", {"/metrics": operator.page}))
        targets = [f"127.0.0.1:{port}" for port in (*ports, page)]
        folder = tmp_path_factory.mktemp("prometheus")
        yield Fleet(stack.enter_context(running_prometheus(tools.prometheus, folder, targets)), servers, operator)


def _server(revision: str) -> ServerTelemetry:
    telemetry = ServerTelemetry(Identity("guardrails", "domains", revision, f"domains-{revision}-1"), ["short"])
    telemetry.set_load(0.5, {"short": 7})
    telemetry.set_load_line("short", 4, 2048)
    telemetry.set_measured(4096, 1.0)
    telemetry.set_memory(1, 4, 0, 3)
    telemetry.set_certificate_expiry(time.time() + 86400)
    telemetry.set_cache(1024)
    telemetry.set_circuit(is_open=False)
    telemetry.devices.set_phases({"load": 1.0})
    telemetry.devices.worker_up(0, up=True)
    telemetry.devices.set_gpu(0, GpuReading(memory_used=1, memory_total=2, utilization=0.5))
    return telemetry


@pytest.mark.parametrize("query", PANELS)
def test_a_panel_has_something_to_show(fleet: Fleet, query: str) -> None:
    assert fleet.shows(query)


def test_canary_and_stable_are_told_apart(fleet: Fleet) -> None:
    [memory] = [str(panel.values[0]) for panel in PANELS if panel.id == "rollout - Memory used - A"]
    wanted, end = {("stable", "abc"), ("canary", "def")}, time.monotonic() + DEADLINE_SECONDS
    # A scrape that takes longer than its second, as on a busy machine, leaves a gap in one of them.
    while (roles := {(series["role"], series["revision"]) for series in fleet.shows(memory)}) < wanted:
        assert time.monotonic() < end, roles
        time.sleep(0.2)
    assert roles == wanted
