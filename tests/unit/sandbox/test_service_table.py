"""Which pods a Service reaches, and what pods are told of Services."""

from __future__ import annotations

from typing import Any

import pytest

from plimsoll_sandbox.node.service_table import (
    Backend,
    Service,
    parse_backend,
    parse_service,
    reachable,
    service_variables,
)


def make_service(port: int = 80, target: int | str = "http", low_ports: bool = True, **spec: Any) -> Service:
    value = {
        "metadata": {"namespace": "team", "name": "web-app"},
        "spec": {
            "clusterIP": "127.64.0.7",
            "selector": {"app": "web"},
            "ports": [{"name": "main", "port": port, "targetPort": target}],
            **spec,
        },
    }
    service = parse_service(value, low_ports=low_ports)
    assert service is not None
    return service


def make_pod(phase: str = "Running", ready: bool = True, deleted: bool = False, **labels: str) -> dict[str, Any]:
    metadata = {"namespace": "team", "labels": labels or {"app": "web"}}
    return {
        "metadata": {**metadata, **({"deletionTimestamp": "2026-05-04T03:00:00Z"} if deleted else {})},
        "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8080}, {"containerPort": 9}]}]},
        "status": {
            "phase": phase,
            "podIP": "127.65.1.1",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def backends(*pods: dict[str, Any]) -> list[Backend]:
    return [found for found in map(parse_backend, pods) if found is not None]


@pytest.mark.parametrize(
    ("service", "pod", "targets"),
    [
        (make_service(), make_pod(), [("127.65.1.1", 8080)]),
        (make_service(target=9), make_pod(), [("127.65.1.1", 9)]),
        (make_service(target="absent"), make_pod(), []),
        (make_service(), make_pod(app="web", tier="x"), [("127.65.1.1", 8080)]),
        (make_service(), make_pod(app="other"), []),
        (make_service(), make_pod(ready=False), []),
        (make_service(publishNotReadyAddresses=True), make_pod(ready=False), [("127.65.1.1", 8080)]),
        (make_service(), make_pod(deleted=True), []),
        (make_service(), make_pod(phase="Succeeded"), []),
        (make_service(selector={}), make_pod(), []),
    ],
    ids=[
        "by name",
        "by number",
        "unknown name",
        "more labels than asked for",
        "other labels",
        "not ready",
        "not ready, wanted",
        "being deleted",
        "ended",
        "no selector",
    ],
)
def test_a_service_reaches_ready_pods_of_its_selector(
    service: Service, pod: dict[str, Any], targets: list[tuple[str, int]]
) -> None:
    assert list(reachable(service, service.ports[0], backends(pod))) == targets


def test_a_service_reaches_no_other_namespace() -> None:
    pod = make_pod()
    pod["metadata"]["namespace"] = "other"
    service = make_service()
    assert not reachable(service, service.ports[0], backends(pod))


@pytest.mark.parametrize(
    ("port", "low_ports", "listen"), [(80, True, 80), (80, False, 8080), (443, False, 8443), (8080, False, 8080)]
)
def test_low_ports_move_up_where_the_user_may_not_have_them(port: int, low_ports: bool, listen: int) -> None:
    assert make_service(port, low_ports=low_ports).ports[0].listen == listen


@pytest.mark.parametrize(
    "spec", [{"clusterIP": "None"}, {"clusterIP": ""}, {"type": "ExternalName"}], ids=["headless", "none yet", "name"]
)
def test_a_service_without_an_address_is_passed_over(spec: dict[str, Any]) -> None:
    value = {"metadata": {"namespace": "team", "name": "web"}, "spec": {"clusterIP": "127.64.0.7", **spec}}
    assert parse_service(value, low_ports=True) is None


def test_pods_are_told_of_their_namespace_and_the_apiserver() -> None:
    kubernetes = parse_service(
        {
            "metadata": {"namespace": "default", "name": "kubernetes"},
            "spec": {"clusterIP": "127.64.0.1", "ports": [{"name": "https", "port": 443}]},
        },
        low_ports=False,
    )
    assert kubernetes is not None
    assert service_variables([make_service(), kubernetes], "team") == {
        "WEB_APP_SERVICE_HOST": "127.64.0.7",
        "WEB_APP_SERVICE_PORT": "80",
        "WEB_APP_SERVICE_PORT_MAIN": "80",
        "WEB_APP_PORT": "tcp://127.64.0.7:80",
        "WEB_APP_PORT_80_TCP": "tcp://127.64.0.7:80",
        "WEB_APP_PORT_80_TCP_PROTO": "tcp",
        "WEB_APP_PORT_80_TCP_PORT": "80",
        "WEB_APP_PORT_80_TCP_ADDR": "127.64.0.7",
        "KUBERNETES_SERVICE_HOST": "127.64.0.1",
        "KUBERNETES_SERVICE_PORT": "8443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "8443",
        "KUBERNETES_PORT": "tcp://127.64.0.1:8443",
        "KUBERNETES_PORT_443_TCP": "tcp://127.64.0.1:8443",
        "KUBERNETES_PORT_443_TCP_PROTO": "tcp",
        "KUBERNETES_PORT_443_TCP_PORT": "8443",
        "KUBERNETES_PORT_443_TCP_ADDR": "127.64.0.1",
    }
    assert not any(name.startswith("WEB") for name in service_variables([make_service()], "other"))
