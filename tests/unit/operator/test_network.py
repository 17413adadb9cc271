"""What callers reach of the pods, and what the pods reach: it follows the revisions that are live."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import POLICY, Cluster, make_spec
from plimsoll_operator.observed import Manifest
from rollouts import at_rest

HUB = {"uri": f"hf://org/model:{'0' * 40}"}
TLS = {"tlsSecret": "domains-tls"}
TRACING = {"tracing": {"endpoint": "http://collector:4318"}}


def child(cluster: Cluster, kind: str) -> Manifest:
    [found] = [live for key, live in cluster.observed.children.items() if key.kind == kind]
    return found


def ports_in(cluster: Cluster) -> list[int]:
    [rule] = child(cluster, "NetworkPolicy")["spec"]["ingress"]
    assert "from" not in rule
    return [port["port"] for port in rule["ports"]]


def ports_out(cluster: Cluster) -> list[tuple[str, int]]:
    rules = child(cluster, "NetworkPolicy")["spec"]["egress"]
    return [(port["protocol"], port["port"]) for rule in rules for port in rule["ports"]]


def service_ports(cluster: Cluster) -> list[tuple[int, str]]:
    return [(port["port"], port["targetPort"]) for port in child(cluster, "Service")["spec"]["ports"]]


DNS = [("UDP", 53), ("TCP", 53)]


@pytest.mark.parametrize(
    ("sections", "inward", "outward"),
    [
        pytest.param({}, [8080, 9090], DNS, id="a claim"),
        pytest.param({"model": {"uri": f"oci://r/m@sha256:{'0' * 64}"}}, [8080, 9090], DNS, id="an image"),
        pytest.param({"model": HUB}, [8080, 9090], [*DNS, ("TCP", 443)], id="the hub"),
        pytest.param({"server": TLS}, [8443, 9090], DNS, id="TLS"),
        pytest.param(
            {"server": {"cache": {"redisSecret": "redis"}}}, [8080, 9090], [*DNS, ("TCP", 6379)], id="a Redis"
        ),
        pytest.param(
            {"server": {"cache": {"redisSecret": "redis", "redisPort": 6380}}},
            [8080, 9090],
            [*DNS, ("TCP", 6380)],
            id="a Redis elsewhere",
        ),
        pytest.param({"server": {"cache": {"ttl": "1m"}}}, [8080, 9090], DNS, id="answers kept in memory"),
        pytest.param(
            {"server": {"tracing": {"endpoint": "https://collector/v1"}}},
            [8080, 9090],
            [*DNS, ("TCP", 443)],
            id="a collector without a port",
        ),
        pytest.param({"server": TRACING}, [8080, 9090], [*DNS, ("TCP", 4318)], id="a collector of traces"),
        pytest.param(
            {"model": HUB, "server": {"cache": {"redisSecret": "redis"}, **TRACING}},
            [8080, 9090],
            [*DNS, ("TCP", 443), ("TCP", 4318), ("TCP", 6379)],
            id="all of them",
        ),
    ],
)
def test_only_what_the_pods_need_is_open(
    sections: dict[str, Any], inward: list[int], outward: list[tuple[str, int]]
) -> None:
    cluster = at_rest(make_spec(**sections))
    spec = child(cluster, "NetworkPolicy")["spec"]
    assert spec["podSelector"] == {"matchLabels": {"plimsoll.dev/name": "domains"}}
    assert spec["policyTypes"] == ["Ingress", "Egress"], "what no rule opens is closed, both ways"
    assert ports_in(cluster) == inward
    assert ports_out(cluster) == outward


@pytest.mark.parametrize(
    ("proxy", "port"),
    [
        ("http://proxy.corp:3128", 3128),
        ("http://proxy.corp", 80),
        ("https://proxy.corp/", 443),
        ("https://proxy.corp:8443", 8443),
    ],
)
def test_with_a_proxy_the_hub_is_reached_through_it_and_not_past_it(proxy: str, port: int) -> None:
    cluster = Cluster(make_spec(model=HUB))
    cluster.policy = replace(POLICY, hub_proxy=proxy)
    cluster.settle()
    assert ports_out(cluster) == [*DNS, ("TCP", port)]
    environment = child(cluster, "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    assert [entry["value"] for entry in environment if entry["name"] == "HTTPS_PROXY"] == [proxy]


def test_a_pod_that_fetches_nothing_is_told_of_no_proxy() -> None:
    cluster = Cluster(make_spec())
    cluster.policy = replace(POLICY, hub_proxy="http://proxy.corp:3128")
    cluster.settle()
    assert ports_out(cluster) == DNS
    assert "HTTPS_PROXY" not in str(child(cluster, "Deployment"))


def test_a_rollout_opens_before_the_new_pods_start_and_closes_when_the_old_are_gone() -> None:
    cluster = at_rest(make_spec(model=HUB))
    assert service_ports(cluster) == [(80, "http")]
    cluster.change(make_spec(server=TLS))
    states: list[tuple[list[int], list[tuple[str, int]], list[tuple[int, str]]]] = []
    for state in cluster.settle():
        cluster.observed = state
        running = {pod.revision for workload in state.workloads.values() for pod in workload.pods}
        if len(running) == 2:
            states.append((ports_in(cluster), ports_out(cluster), service_ports(cluster)))
    assert states
    for inward, outward, offered in states:
        assert inward == [8080, 8443, 9090]
        assert outward == [*DNS, ("TCP", 443)]
        assert offered == [(80, "http"), (443, "https")]
    assert ports_in(cluster) == [8443, 9090]
    assert ports_out(cluster) == DNS


def test_the_service_keeps_its_plain_port_so_that_no_caller_has_to_know_what_runs() -> None:
    assert service_ports(at_rest(make_spec(server=TLS))) == [(80, "http"), (443, "https")]
