"""From a real Prometheus, which scrapes what the server's own telemetry serves, to the verdict that status keeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from builders import Cluster
from free_ports import free_port
from measured import trial
from plimsoll_operator.cluster.measuring import Measuring, scrapes_of
from plimsoll_operator.cluster.prometheus import Prometheus, PrometheusAccess, Range
from plimsoll_operator.plan import Plan
from plimsoll_operator.reconcile import reconcile
from plimsoll_operator.rollout.measuring.measurements import Inquiry, Replica
from plimsoll_operator.rollout.measuring.sampling import query, sampling
from plimsoll_operator.rollout.measuring.scrapes import Scrapes
from plimsoll_operator.rollout.measuring.signals import SIGNALS, Signal
from plimsoll_sandbox.toolchain import Tools
from plimsoll_server.metrics_port import MetricsPort
from plimsoll_server.telemetry import Identity, Telemetry
from plimsoll_server.types import BatchReport
from prometheus_process import PrometheusProcess, running_prometheus

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

Look = Callable[[], Awaitable[dict[str, Any]]]
"""One reconcile as the operator makes it; the evidence that status holds after it."""

DEADLINE_SECONDS = 120
CYCLE_SECONDS = 0.05
"""Between two requests of a server: 20 each second."""


@dataclass
class Server:
    """What a server tells of requests that it answers all the time; every `failing`th one fails."""

    revision: str
    pod: str
    failing: int = 0
    port: int = field(default_factory=free_port)
    requests: int = 0
    _ended: Event = field(default_factory=Event)

    def serve(self) -> None:
        identity = Identity("guardrails", "domains", self.revision, self.pod)
        telemetry = Telemetry(identity, ["short"])
        metrics = MetricsPort(telemetry.registry, "127.0.0.1", self.port)
        while not self._ended.wait(CYCLE_SECONDS):
            self.requests += 1
            failed = bool(self.failing) and self.requests % self.failing == 0
            telemetry.request_done("short", "error" if failed else "ok", 0.02)
            telemetry.batch_done("short", BatchReport(()))
        metrics.close()

    def end(self) -> None:
        self._ended.set()


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """A canary as it is when its first pod has become ready, now."""
    cluster = trial(analysis={"interval": "5s"})
    cluster.now = datetime.now(UTC)
    owner = cluster.observed.owner
    rollout = {name: value for name, value in owner.status["rollout"].items() if name != "evidence"}
    cluster.observed = replace(cluster.observed, owner=replace(owner, status={**owner.status, "rollout": rollout}))
    write_status(cluster)
    return cluster


@pytest.fixture(scope="module")
def servers(cluster: Cluster) -> Iterator[tuple[Server, Server]]:
    """The canary's, which fails a third of its requests, and the stable one's."""
    rollout = cluster.observed.owner.status["rollout"]
    pods = {revision: workload.pods[0].name for revision, workload in cluster.observed.workloads.items()}
    canary, stable = rollout["canary"], rollout["stable"]
    both = Server(canary, pods[canary], failing=3), Server(stable, pods[stable])
    threads = [Thread(target=server.serve) for server in both]
    for thread in threads:
        thread.start()
    yield both
    for server, thread in zip(both, threads, strict=True):
        server.end()
        thread.join(DEADLINE_SECONDS)


@pytest.fixture(scope="module")
def prometheus(
    tools: Tools, servers: tuple[Server, Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusProcess]:
    targets = [f"127.0.0.1:{server.port}" for server in servers]
    with running_prometheus(tools.prometheus, Path(tmp_path_factory.mktemp("prometheus")), targets) as prometheus:
        yield prometheus


@pytest.fixture
def look(cluster: Cluster, prometheus: PrometheusProcess) -> Look:
    """Only the status is carried out: no pod is moved by what the evidence says."""
    asking = Prometheus(PrometheusAccess(prometheus.url))
    measuring = Measuring(asking, lambda: datetime.now(UTC), lambda _: None)

    async def look() -> dict[str, Any]:
        found = await measuring.measure(cluster.observed.owner)
        cluster.now = datetime.now(UTC)
        cluster.observed = replace(cluster.observed, measurements=found)
        write_status(cluster)
        evidence: dict[str, Any] = cluster.observed.owner.status["rollout"]["evidence"]
        return evidence

    return look


def write_status(cluster: Cluster) -> None:
    plan = reconcile(cluster.observed, cluster.policy, cluster.now)
    cluster.carry_out(Plan(status=plan.status or cluster.observed.owner.status))


async def until(look: Look, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    end = time.monotonic() + DEADLINE_SECONDS
    while not wanted(evidence := await look()):
        assert time.monotonic() < end, evidence
        await asyncio.sleep(0.5)
    return evidence


@pytest.mark.parametrize("signal", SIGNALS, ids=[signal.name for signal in SIGNALS])
async def test_a_signals_query_gives_the_counters_of_both_revisions(
    prometheus: PrometheusProcess, servers: tuple[Server, Server], signal: Signal
) -> None:
    canary, stable = (server.revision for server in servers)
    now = datetime.now(UTC)
    inquiry = Inquiry("guardrails", "domains", canary, stable, now, now, now, timedelta(seconds=5), 0)
    client = Prometheus(PrometheusAccess(prometheus.url))
    end = time.monotonic() + DEADLINE_SECONDS
    found: set[str] = set()
    while found != {canary, stable}:
        assert time.monotonic() < end, found
        async with client.session() as session:
            answer = await client.query_range(session, signal.query(inquiry), Range(time.time(), 5, 0))
        found = {series.labels["revision"] for series in answer.series}
        await asyncio.sleep(0.2)
    assert {series.labels["__name__"] for series in answer.series} == set(signal.metrics)
    assert {series.labels["replica"] for series in answer.series} == {server.pod for server in servers}
    assert answer.answered is not None
    assert abs((answer.answered - datetime.now(UTC)).total_seconds()) < DEADLINE_SECONDS


async def test_it_tells_when_each_pod_was_scraped_by_each_job(
    prometheus: PrometheusProcess, servers: tuple[Server, Server]
) -> None:
    """Once a second, by two jobs at moments of their own."""
    canary, stable = (server.revision for server in servers)
    client = Prometheus(PrometheusAccess(prometheus.url))
    end = time.monotonic() + DEADLINE_SECONDS
    scrapes: Mapping[Replica, tuple[Scrapes, ...]] = {}
    while not (len(scrapes) == 2 and all(len(job.times) >= 4 for jobs in scrapes.values() for job in jobs)):
        assert time.monotonic() < end, scrapes
        now = datetime.now(UTC)
        inquiry = Inquiry("guardrails", "domains", canary, stable, now, now, now, timedelta(seconds=5), 0)
        async with client.session() as session:
            answer = await client.query_range(session, query(inquiry), Range(*sampling(inquiry)))
        scrapes = scrapes_of(answer.series)
        await asyncio.sleep(0.2)
    assert scrapes.keys() == {Replica(server.revision, server.pod) for server in servers}
    assert all(len(jobs) == 2 for jobs in scrapes.values())
    known = inquiry.since - timedelta(seconds=2)
    assert all(job.is_known_at(known) for jobs in scrapes.values() for job in jobs)


async def test_a_canary_is_judged_held_without_prometheus_and_judged_on(
    prometheus: PrometheusProcess, servers: tuple[Server, Server], look: Look
) -> None:
    measured = await until(look, lambda evidence: bool(evidence.get("requests")))
    assert measured["data"] == "Measured"
    prometheus.stop()
    held = await until(look, lambda evidence: evidence["data"] == "NoMetrics")
    assert held["requests"] >= measured["requests"]
    assert prometheus.url in held["message"]
    prometheus.start()
    judged = await until(look, lambda evidence: evidence["decision"] == "Rollback")
    assert (judged["data"], judged["reason"]) == ("Measured", "MoreErrors")
    canary, stable = servers
    [errors] = [figures for figures in judged["signals"] if figures["name"] == "errors"]
    assert 0 < float(errors["canaryExposures"]) <= canary.requests
    assert 0 < float(errors["stableExposures"]) <= stable.requests
    assert float(errors["canaryRate"]) == pytest.approx(1 / 3, abs=0.05)
    assert float(errors["stableRate"]) == 0
