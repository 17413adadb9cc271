"""Pods as the API has them, parsed with the kubelet's defaults."""

from __future__ import annotations

from typing import Any

import pytest

from plimsoll_sandbox.node.spec.actions import Exec, HttpGet, Sleep, TcpSocket, Unsupported, parse_hook, parse_probe
from plimsoll_sandbox.node.spec.pods import parse_pod
from plimsoll_sandbox.node.spec.variables import FieldRef
from plimsoll_sandbox.node.spec.volumes import (
    Claim,
    DownwardItem,
    DownwardSource,
    EmptyDir,
    Files,
    HostPath,
    ImageVolume,
    Item,
    KeysSource,
    TokenSource,
    UnsupportedVolume,
    VolumeSource,
    parse_volume,
)

LABELS = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ({}, EmptyDir()),
        ({"emptyDir": {"medium": "Memory"}}, EmptyDir()),
        ({"hostPath": {"path": "/data", "type": "Directory"}}, HostPath("/data")),
        ({"persistentVolumeClaim": {"claimName": "models", "readOnly": True}}, Claim("models")),
        ({"image": {"reference": "models:1", "pullPolicy": "Always"}}, ImageVolume("models:1")),
        ({"configMap": {"name": "m"}}, Files((KeysSource("ConfigMap", "m"),))),
        (
            {"secret": {"secretName": "s", "optional": True, "items": [{"key": "k", "path": "p", "mode": 256}]}},
            Files((KeysSource("Secret", "s", (Item("k", "p", 0o400),), optional=True),)),
        ),
        (
            {"downwardAPI": {"items": [LABELS], "defaultMode": 0o600}},
            Files((DownwardSource((DownwardItem("labels", FieldRef("metadata.labels")),)),), 0o600),
        ),
        (
            {
                "projected": {
                    "sources": [
                        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
                        {"configMap": {"name": "kube-root-ca.crt"}},
                        {"secret": {"name": "s"}},
                        {"downwardAPI": {"items": [LABELS]}},
                    ]
                }
            },
            Files(
                (
                    TokenSource("token", 3607),
                    KeysSource("ConfigMap", "kube-root-ca.crt"),
                    KeysSource("Secret", "s"),
                    DownwardSource((DownwardItem("labels", FieldRef("metadata.labels")),)),
                )
            ),
        ),
        ({"nfs": {"server": "x", "path": "/"}}, UnsupportedVolume("nfs")),
    ],
    ids=lambda value: next(iter(value), "nothing") if isinstance(value, dict) else "",
)
def test_volumes_are_read(value: dict[str, Any], source: VolumeSource) -> None:
    assert parse_volume({"name": "v", **value}).source == source


@pytest.mark.parametrize(
    ("value", "action"),
    [
        ({"httpGet": {"port": "http"}}, HttpGet("http")),
        (
            {"httpGet": {"port": 8443, "path": "/z", "scheme": "HTTPS", "httpHeaders": [{"name": "A", "value": "b"}]}},
            HttpGet(8443, "/z", scheme="https", headers=(("A", "b"),)),
        ),
        ({"tcpSocket": {"port": 80}}, TcpSocket(80)),
        ({"exec": {"command": ["true"]}}, Exec(("true",))),
        ({"sleep": {"seconds": 5}}, Sleep(5)),
        ({"grpc": {"port": 1}}, Unsupported("grpc")),
    ],
    ids=["http", "https", "tcp", "exec", "sleep", "grpc"],
)
def test_actions_are_read(value: dict[str, Any], action: object) -> None:
    assert parse_hook(value) == action


def test_a_probe_has_the_kubelets_defaults() -> None:
    probe = parse_probe({"tcpSocket": {"port": 80}})
    assert probe is not None
    assert (probe.initial_delay, probe.period, probe.timeout) == (0, 10, 1)
    assert (probe.success_threshold, probe.failure_threshold, probe.grace_seconds) == (1, 3, None)


def test_a_pod_that_is_being_deleted_knows_its_grace() -> None:
    value: dict[str, Any] = {
        "metadata": {"uid": "u", "name": "p", "namespace": "n"},
        "spec": {"containers": [{"name": "main"}], "terminationGracePeriodSeconds": 60},
    }
    assert parse_pod(value).deletion_seconds is None
    value["metadata"] |= {"deletionTimestamp": "2026-05-04T03:00:00Z", "deletionGracePeriodSeconds": 0}
    assert parse_pod(value).deletion_seconds == 0
