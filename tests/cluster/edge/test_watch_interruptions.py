"""Watches that end, expire or fall silent: the operator takes them up again by itself, long before the next resync."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from cluster.edge.conftest import Edge
from cluster.edge.replicas import Replica, Replicas, running_replicas
from cluster.edge.test_operator_edge_life import comes_back, served
from cluster_kit import eventually
from tcp_proxy import running_proxy

pytestmark = pytest.mark.cluster

NEVER = "10m"
"""A resync period so long that only a watch can tell."""
MINUTE = 60
DEADLINE_SECONDS = 10


@pytest.fixture
def replicas(edge: Edge) -> Iterator[Replicas]:
    with running_replicas(edge) as started:
        yield started


def restart_apiserver(edge: Edge) -> float:
    """Seconds from its end until it is ready again."""
    began = time.monotonic()
    edge.control_plane.kill_apiserver()
    edge.control_plane.start_apiserver()
    return time.monotonic() - began


def version_of_now(edge: Edge) -> str:
    version: str = json.loads(edge.kit.kubectl("get", "--raw", services_of(edge)))["metadata"]["resourceVersion"]
    return version


def services_of(edge: Edge) -> str:
    return f"/api/v1/namespaces/{edge.kit.namespace}/services"


def is_gone(edge: Edge, version: str) -> bool:
    """Whether a watch that goes on from `version` is answered with 410."""
    watch = f"{services_of(edge)}?watch=1&timeoutSeconds=1&resourceVersion={version}"
    told = edge.kit.kubectl("get", "--raw", watch)
    return any(json.loads(line)["object"].get("code") == 410 for line in told.splitlines())


def lives_or_is_started_again(replicas: Replicas, replica: Replica, outage: float) -> Replica:
    """The process lives through what is shorter than its deadline; else the kubelet's part is played here."""
    if outage < DEADLINE_SECONDS - 3:
        assert replica.exit_code() is None, replica.process.log_path.read_text()
        return replica
    time.sleep(2)
    return replica if replica.exit_code() is None else replicas.start_leader(PLIMSOLL_RESYNC_PERIOD=NEVER)


def test_a_restart_of_the_apiserver_that_forgets_versions_is_survived_up_to_the_deadline(
    edge: Edge, replicas: Replicas
) -> None:
    leader = replicas.start_leader(PLIMSOLL_RESYNC_PERIOD=NEVER)
    served(edge, "watched")
    comes_back(edge, "watched")
    version = version_of_now(edge)
    for number in range(3):
        edge.kit.kubectl("create", "configmap", f"moves-on-{number}")
    outage = restart_apiserver(edge)
    assert is_gone(edge, version)
    leader = lives_or_is_started_again(replicas, leader, outage)
    comes_back(edge, "watched", MINUTE)

    edge.control_plane.kill_apiserver()
    try:
        assert leader.process.wait(30) == 1
        assert leader.process.said("the Lease is lost, ending the process: not renewed within 10 s")
    finally:
        edge.control_plane.start_apiserver()
    replicas.start_leader(PLIMSOLL_RESYNC_PERIOD=NEVER)
    comes_back(edge, "watched", MINUTE)


def test_connections_that_fall_silent_are_given_up_within_a_minute(edge: Edge, replicas: Replicas) -> None:
    with running_proxy(edge.control_plane.port) as proxy:
        leader = replicas.start_leader(proxy.port, PLIMSOLL_RESYNC_PERIOD=NEVER)
        served(edge, "stalled")
        comes_back(edge, "stalled")
        proxy.silence_what_is_open()
        comes_back(edge, "stalled", MINUTE)
        assert (leader.exit_code(), leader.leads(), leader.process.health()) == (None, True, 200)
        eventually(lambda: leader.process.stop() == 0, 10)
