"""HTTPS end to end: a Secret, a pod that is probed and reached by it, and a renewal that restarts nothing."""

from __future__ import annotations

import base64
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography import x509

from cluster.security.conftest import NAMESPACE
from cluster_kit import Kit, eventually
from plimsoll_sandbox.sandbox import Sandbox
from server_builders import random_model
from tls_files import Issued, Issuer

pytestmark = pytest.mark.cluster

NAME = f"private.{NAMESPACE}.svc"
ISSUER = Issuer()
KEY, NEXT_KEY = "a-key-of-the-only-caller", "its-key-of-next-month"
RENEWAL_SECONDS = 60
"""The sandbox publishes a changed Secret, and the server looks at its files, every few seconds."""


def secret(issued: Issued) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "private-tls"},
        "data": {name: base64.b64encode(data).decode() for name, data in issued.files.items()},
    }


def model_volume(folder: Path) -> dict[str, Any]:
    """A volume and a claim through which this namespace's pods read `folder`."""
    shape = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    volume = {
        **shape,
        "capacity": {"storage": "1Gi"},
        "claimRef": {"name": "models", "namespace": NAMESPACE},
        "hostPath": {"path": str(folder)},
    }
    claim = {**shape, "resources": {"requests": {"storage": "1Gi"}}, "volumeName": f"{NAMESPACE}-models"}
    items = [
        {"kind": "PersistentVolume", "metadata": {"name": f"{NAMESPACE}-models"}, "spec": volume},
        {"kind": "PersistentVolumeClaim", "metadata": {"name": "models"}, "spec": claim},
    ]
    return {"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", **item} for item in items]}


def serving(name: str, tls_secret: str) -> dict[str, Any]:
    return {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "InferenceDeployment",
        "metadata": {"name": name},
        "spec": {
            "model": {"uri": "pvc://models/random"},
            "gpu": {"profile": "cpu"},
            "tiers": [{"name": "short", "maxTokens": 64}],
            "server": {
                "tlsSecret": tls_secret,
                "auth": {"apiKeySecret": "private-keys"},
                "resources": {"limits": {"memory": "1536Mi"}},
            },
        },
    }


@pytest.fixture(scope="module")
def first() -> Issued:
    return ISSUER.issue(NAME)


@pytest.fixture(scope="module")
def address(kit: Kit, sandbox: Sandbox, first: Issued, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the Service answers by HTTPS, once the object is Ready, which takes probes by HTTPS."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "random").mkdir()
    random_model(folder / "random")
    kit.apply(model_volume(folder))
    kit.apply(secret(first))
    kit.apply(keys(KEY))
    kit.apply(serving("private", "private-tls"))
    kit.wait_for("private", "Ready", "True", deadline=180)
    return sandbox.url(NAMESPACE, "private", 443)


def keys(*lines: str) -> dict[str, Any]:
    data = {"keys": "\n".join(lines), "other": "not for the pods"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "private-keys"}, "stringData": data}


def asked(address: str, key: str) -> httpx.Response:
    with httpx.Client(verify=ISSUER.trust, timeout=60) as client:
        return client.post(
            f"{address}/predict",
            json={"inputs": "near the old harbour"},
            headers={"Authorization": f"Bearer {key}"},
            extensions={"sni_hostname": NAME},
        )


def shown(address: str) -> int:
    """Serial number of what a new caller is shown."""
    parts = urlsplit(address)
    with (
        socket.create_connection((str(parts.hostname), parts.port or 443), timeout=10) as connection,
        ISSUER.trust.wrap_socket(connection, server_hostname=NAME) as secured,
    ):
        presented = secured.getpeercert(binary_form=True)
    assert presented is not None
    return x509.load_der_x509_certificate(presented).serial_number


def test_a_request_is_answered_to_a_caller_who_verifies_the_certificate(address: str, first: Issued) -> None:
    answer = asked(address, KEY)
    assert answer.status_code == 200, answer.text
    assert shown(address) == first.serial


def test_the_pod_serves_nothing_in_the_clear_and_the_service_says_so(kit: Kit, sandbox: Sandbox, address: str) -> None:
    del address
    ports = {port["name"]: port["port"] for port in kit.get("service", "private")["spec"]["ports"]}
    assert ports == {"http": 80, "https": 443}
    with httpx.Client(timeout=10) as client, pytest.raises(httpx.TransportError):
        client.get(f"{sandbox.url(NAMESPACE, 'private', 80)}/health")
    assert [port["port"] for port in kit.get("networkpolicy", "private")["spec"]["ingress"][0]["ports"]] == [8443, 9090]


def test_keys_rotate_under_the_same_pod_whose_probes_need_none(kit: Kit, address: str) -> None:
    [before] = kit.pods("private")
    assert [asked(address, key).status_code for key in (KEY, NEXT_KEY)] == [200, 401]
    kit.apply(keys(NEXT_KEY))
    eventually(lambda: asked(address, NEXT_KEY).status_code == 200, RENEWAL_SECONDS)
    assert asked(address, KEY).status_code == 401
    [after] = kit.pods("private")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["ready"] is True
    for key in (KEY, NEXT_KEY):
        assert key not in kit.kubectl("logs", pod_name(after))
        assert key not in json.dumps(after)


def test_a_renewed_secret_is_served_by_the_same_pod(kit: Kit, address: str) -> None:
    [before] = kit.pods("private")
    renewed = ISSUER.issue(NAME)
    kit.apply(secret(renewed))
    eventually(lambda: shown(address) == renewed.serial, RENEWAL_SECONDS, lambda: kit.kubectl("logs", pod_name(before)))
    [after] = kit.pods("private")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0


def test_a_broken_renewal_is_told_in_the_log_and_the_old_certificate_stays(kit: Kit, address: str) -> None:
    [pod] = kit.pods("private")
    kept = shown(address)
    broken = secret(ISSUER.issue(NAME))
    broken["data"]["tls.key"] = base64.b64encode(ISSUER.issue(NAME).key).decode()
    kit.apply(broken)

    def complaint() -> str:
        lines = map(json.loads, kit.kubectl("logs", pod_name(pod)).splitlines())
        return next((line["message"] for line in lines if "certificate is refused" in line["message"]), "")

    assert "is not the key of the certificate" in eventually(complaint, RENEWAL_SECONDS)
    assert shown(address) == kept


def test_a_secret_that_nobody_made_is_asked_for_by_the_object(kit: Kit, address: str) -> None:
    del address
    kit.apply(serving("unsealed", "not-made"))
    told = kit.wait_for("unsealed", "Ready", "False", "CrashLoop")
    assert "mount a Secret of type kubernetes.io/tls" in told["message"]
    kit.kubectl("delete", "infd", "unsealed")


def pod_name(pod: dict[str, Any]) -> str:
    name: str = pod["metadata"]["name"]
    return name
