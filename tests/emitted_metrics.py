"""Every series that the server and the operator emit, by name, with the names of its labels: read from themselves."""

from __future__ import annotations

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from plimsoll_operator.census import Census
from plimsoll_operator.plan import Event
from plimsoll_operator.rollout.evidence import JUDGED
from plimsoll_operator.telemetry import Telemetry as OperatorTelemetry
from plimsoll_operator.workqueue import Backlog
from plimsoll_server.engine.fleet.gpus import GpuReading
from plimsoll_server.telemetry import Identity
from plimsoll_server.telemetry import Telemetry as ServerTelemetry

IDENTITY = Identity(namespace="guardrails", deployment="domains", revision="abc", replica="domains-abc-1")


def server_metrics() -> dict[str, set[str]]:
    """Of a server with two tiers, a device and a certificate."""
    telemetry = ServerTelemetry(IDENTITY, ["short", "long"])
    telemetry.set_load(0.5, {"short": 0, "long": 7})
    telemetry.set_load_line("short", 4, 2048)
    telemetry.set_measured(4096, 1.0)
    telemetry.set_memory(1, 4, 0, 3)
    telemetry.set_certificate_expiry(1.0)
    telemetry.devices.set_phases({"load": 1.0})
    telemetry.devices.worker_up(0, up=True)
    telemetry.devices.set_gpu(0, GpuReading(memory_used=1, memory_total=2, utilization=0.5))
    telemetry.request_done("short", "ok", 0.1)
    return _labels(generate_latest(telemetry.registry).decode())


def operator_metrics() -> dict[str, set[str]]:
    return _labels(judging_operator().page().body.decode())


def judging_operator() -> OperatorTelemetry:
    """Of an operator that leads, has written and failed, and judges a canary."""
    telemetry = OperatorTelemetry()
    telemetry.watch_queue(lambda: Backlog(0, 0.0))
    telemetry.watch_lease(lambda: True, lambda: 0.0)
    telemetry.counted(Census({("Ready", "Serving"): 1, ("Stalled", "ClaimNotFound"): 1}))
    telemetry.rollouts.told(("guardrails", "domains"), _JUDGED, [Event("Normal", "RolloutStarted", "abc")])
    keep_busy(telemetry)
    return telemetry


def keep_busy(telemetry: OperatorTelemetry) -> None:
    """One of everything that it counts."""
    telemetry.lease_failed("Timeout")
    telemetry.prometheus_failed("Timeout")
    telemetry.failed("Forbidden")
    telemetry.wrote("Deployment", "patch")
    with telemetry.timed_reconcile():
        pass


_JUDGED = {
    "rollout": {
        "phase": "Analysing",
        "stable": "abc",
        "canary": "def",
        "weightPercent": 33,
        "evidence": {
            "canary": "def",
            "requests": 100,
            "signals": [{"name": name, "evidence": "2.5", "threshold": "400"} for name in JUDGED],
        },
    }
}


def _labels(page: str) -> dict[str, set[str]]:
    samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
    return {sample.name: set(sample.labels) for sample in samples}
