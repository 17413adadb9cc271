"""Two operators on a real apiserver: one leads, and whatever becomes of it, never two write."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from cluster.edge.conftest import LEASE, Edge
from cluster.edge.replicas import Replica, Replicas, running_replicas
from cluster.edge.test_operator_edge_life import comes_back, inference_deployment, served, uid_of_service
from cluster_kit import eventually
from helm_chart import NAMESPACE
from tcp_proxy import TcpProxy, running_proxy

pytestmark = pytest.mark.cluster

DEADLINE_SECONDS = 10
TAKEOVER_SECONDS = 30
"""Of a Lease that is not renewed any more. By the rules at most 17 s: 15 s from when the other saw it last, which looks
every 2 s. The rest is for a busy machine; the tests in virtual time hold the rules to the second."""
RELEASE_SECONDS = 10
"""Of a Lease that was given back: by the rules 2 s and a request, and without a release 13 s at least."""


@pytest.fixture
def replicas(edge: Edge) -> Iterator[Replicas]:
    with running_replicas(edge) as started:
        yield started


@pytest.fixture
def proxy(edge: Edge) -> Iterator[TcpProxy]:
    """A way to the apiserver that can be broken for one replica alone."""
    with running_proxy(edge.control_plane.port) as started:
        yield started


def takes_over(standby: Replica, since: float) -> float:
    """Wait until `standby` leads; seconds from `since` until then."""
    eventually(standby.leads, TAKEOVER_SECONDS + 10, standby.process.log_path.read_text)
    return time.monotonic() - since


def ends(replica: Replica, patience: float) -> int:
    return replica.process.wait(patience)


def test_a_frozen_leader_is_replaced_and_sends_nothing_when_it_thaws(edge: Edge, replicas: Replicas) -> None:
    """The end of its process is the first to keep it from sending; the fence behind that has tests of the client's."""
    leader = replicas.start_leader()
    standby = replicas.start()
    assert (leader.process.health(), standby.process.health(), standby.leads()) == (200, 200, False)
    served(edge, "before")
    for number in range(6):
        edge.kit.apply(inference_deployment(f"busy-{number}"))
    leader.signal(signal.SIGSTOP)
    assert takes_over(standby, time.monotonic()) <= TAKEOVER_SECONDS
    for number in range(6):
        eventually(lambda number=number: uid_of_service(edge, f"busy-{number}"), 30)  # type: ignore[misc]

    since = edge.control_plane.recorded()
    leader.signal(signal.SIGCONT)
    assert ends(leader, 15) == 1
    assert leader.process.said("the Lease is lost, ending the process: not renewed within 10 s")
    comes_back(edge, "before")
    assert leader.requests(since) == []


def test_a_killed_leader_is_replaced_in_time_and_one_that_ends_well_at_once(edge: Edge, replicas: Replicas) -> None:
    first = replicas.start_leader()
    served(edge, "handed-on")
    second = replicas.start()
    eventually(lambda: second.process.said("is held by operator-0_"), 10)
    assert second.work() == []
    first.process.kill()
    assert takes_over(second, time.monotonic()) <= TAKEOVER_SECONDS
    comes_back(edge, "handed-on")

    third = replicas.start()
    eventually(lambda: third.process.said("held by operator-1_"), 10)
    assert second.process.stop() == 0
    assert takes_over(third, time.monotonic()) <= RELEASE_SECONDS
    assert second.process.said("released the Lease")
    comes_back(edge, "handed-on")


def test_a_lease_that_is_deleted_is_made_anew_by_its_holder_whose_process_goes_on(
    edge: Edge, replicas: Replicas
) -> None:
    leader = replicas.start_leader()
    standby = replicas.start()
    served(edge, "kept")
    edge.kit.kubectl("delete", "lease", LEASE, "-n", NAMESPACE)
    eventually(lambda: leader.process.said("is missing: making it anew"), 10)
    # Longer than what was left of its right: it has to get it back by the new Lease.
    time.sleep(DEADLINE_SECONDS + 1)
    comes_back(edge, "kept", 30)
    assert (leader.exit_code(), leader.leads(), standby.leads()) == (None, True, False)
    held = edge.kit.kubectl("get", "lease", LEASE, "-n", NAMESPACE, "-o", "jsonpath={.spec.holderIdentity}")
    assert held.startswith("operator-0_")


def test_connections_that_are_refused_end_a_leader_at_its_deadline_and_not_before(
    edge: Edge, replicas: Replicas, proxy: TcpProxy
) -> None:
    leader = replicas.start_leader(proxy.port)
    served(edge, "cut-off")
    proxy.refuse()
    eventually(lambda: leader.process.said("cannot renew the Lease"), 10)
    proxy.accept()
    comes_back(edge, "cut-off", 30)
    assert (leader.exit_code(), leader.leads()) == (None, True)

    asked = time.monotonic()
    age = leader.process.metric("plimsoll_operator_lease_age_seconds")
    proxy.refuse()
    assert ends(leader, 30) == 1
    assert time.monotonic() - asked >= DEADLINE_SECONDS - age
    assert leader.process.said("the Lease is lost, ending the process: not renewed within 10 s")


def test_a_standby_is_well_while_it_gets_answers_and_unwell_while_the_apiserver_stalls(
    replicas: Replicas, proxy: TcpProxy
) -> None:
    leader = replicas.start_leader()
    standby = replicas.start(proxy.port, PLIMSOLL_RESYNC_PERIOD="1s")
    eventually(lambda: standby.process.said("standing by"), 10)
    proxy.stall()
    eventually(lambda: standby.process.health() == 503, 20)
    proxy.go_on()
    eventually(lambda: standby.process.health() == 200, 20)
    assert (leader.leads(), standby.leads(), standby.exit_code()) == (True, False, None)
