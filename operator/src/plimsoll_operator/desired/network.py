"""What the pods are to the network: Service, ServiceAccount and NetworkPolicy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from plimsoll_operator.desired.around_requests import TRACES_ENDPOINT
from plimsoll_operator.desired.metadata import child_metadata
from plimsoll_operator.desired.pod import HUB_PROXY
from plimsoll_operator.model_source import HubModel, parse_model_source
from plimsoll_operator.names import HTTPS_PORT, HTTPS_SERVICE_PORT, LABEL_NAME, SERVICE_PORT
from plimsoll_operator.observed import Owner, Revision
from plimsoll_operator.spec import Cache

DNS_PORT = 53


def service(owner: Owner, live: Iterable[Revision]) -> dict[str, Any]:
    """The one Service for traffic. It selects the pods of every `live` revision; readiness decides who answers.

    Port 443 is there as soon as one of them has TLS. A pod stands behind the ports that it has itself.
    """
    ports = [{"name": "http", "port": SERVICE_PORT, "protocol": "TCP", "targetPort": "http"}]
    if HTTPS_PORT in _container_ports(live):
        ports.append({"name": "https", "port": HTTPS_SERVICE_PORT, "protocol": "TCP", "targetPort": "https"})
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_metadata(owner, owner.name),
        "spec": {"type": "ClusterIP", "selector": {LABEL_NAME: owner.name}, "ports": ports},
    }


def service_account(owner: Owner) -> dict[str, Any]:
    """An identity without a token: the server never talks to the Kubernetes API."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": child_metadata(owner, owner.name),
        "automountServiceAccountToken": False,
    }


def network_policy(owner: Owner, live: Iterable[Revision]) -> dict[str, Any]:
    """What the pods of the `live` revisions need of the network, and nothing else.

    In: the ports that their containers declare, from anywhere, since who calls is not ours to know. Out: names, the
    hub where a revision's model comes from there, its Redis and its collector of traces. It follows the frozen
    templates, so that a rollout opens what the new pods need before they start, and closes what the old ones needed
    when they are gone.
    """
    live = list(live)
    egress: list[dict[str, Any]] = [
        {"ports": [{"protocol": "UDP", "port": DNS_PORT}, {"protocol": "TCP", "port": DNS_PORT}]}
    ]
    if needed := set[int]().union(*map(_outward_ports, live)):
        egress.append({"ports": [{"protocol": "TCP", "port": port} for port in sorted(needed)]})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": child_metadata(owner, owner.name),
        "spec": {
            "podSelector": {"matchLabels": {LABEL_NAME: owner.name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": port} for port in sorted(_container_ports(live))]}],
            "egress": egress,
        },
    }


def _container_ports(live: Iterable[Revision]) -> set[int]:
    return {
        port["containerPort"]
        for revision in live
        for container in revision.template["spec"]["containers"]
        for port in container.get("ports", ())
    }


def _outward_ports(revision: Revision) -> set[int]:
    """The ports at which a revision's pods call others, as it was frozen."""
    environment = _environment(revision)
    ports = {_port(environment.get(HUB_PROXY, "https:"))} if _downloads(revision) else set()
    if collector := environment.get(TRACES_ENDPOINT):
        ports.add(_port(collector))
    cache = Cache.model_validate(revision.input.get("server", {}).get("cache", {}))
    return ports | {cache.redis_port} if cache.redis_secret else ports


def _environment(revision: Revision) -> dict[str, str]:
    [container] = revision.template["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in container.get("env", ()) if "value" in entry}


def _port(address: str) -> int:
    parts = urlsplit(address)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _downloads(revision: Revision) -> bool:
    return isinstance(parse_model_source(revision.input["model"]["uri"]), HubModel)
