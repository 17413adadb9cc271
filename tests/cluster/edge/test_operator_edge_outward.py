"""Whom the operator turns to: the apiserver, whatever addresses an InferenceDeployment holds."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.edge.conftest import LEASE, Edge
from cluster_kit import eventually
from operator_process import OperatorProcess, running

pytestmark = pytest.mark.cluster

RECORDING = (sys.executable, str(Path(__file__).parents[2] / "programs" / "recording_operator.py"), "run")
DIGEST, COMMIT = "0" * 64, "0" * 40


@pytest.fixture
def trap() -> Iterator[socket.socket]:
    """A listener of somebody's choosing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0)
        yield listener


def objects_with(address: str) -> dict[str, dict[str, Any]]:
    """An InferenceDeployment's spec for each field that takes an address."""
    return {
        "registry": {"model": {"uri": f"oci://{address}/model@sha256:{DIGEST}"}},
        "server": {"model": {"uri": "pvc://models/m"}, "server": {"image": f"{address}/server:1"}},
        "hub": {"model": {"uri": f"hf://127.0.0.1/model:{COMMIT}"}, "server": {"hubTokenSecret": "127.0.0.1"}},
    }


def manifest(name: str, sections: dict[str, Any], address: str) -> dict[str, Any]:
    annotations = {
        "plimsoll.dev/rollout-request": f"restart#http://{address}/",
        "example.com/proxy": f"http://{address}",
    }
    return {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "InferenceDeployment",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"gpu": {"profile": "cpu"}, "tiers": [{"name": "short", "maxTokens": 512}], **sections},
    }


def test_no_field_of_an_object_makes_the_operator_call_anybody_else(edge: Edge, trap: socket.socket) -> None:
    host, port = trap.getsockname()
    address, record = f"{host}:{port}", edge.folder / "record"
    settings = {
        "RECORD": str(record),
        "PLIMSOLL_LEASE_NAME": LEASE,
        "PLIMSOLL_WATCH_NAMESPACE": edge.kit.namespace,
        "PLIMSOLL_RESYNC_PERIOD": "1s",
    }
    recorded = OperatorProcess(edge.operator_kubeconfig(), edge.folder / "operator.log", settings, RECORDING)
    with running(recorded) as operator:
        objects = objects_with(address)
        for name, sections in objects.items():
            edge.kit.apply(manifest(name, sections, address))
        for name in objects:
            edge.kit.wait_for(name, "Ready", "False", deadline=60)
        rounds = operator.metric("plimsoll_operator_reconcile_duration_seconds_count")
        eventually(
            lambda: operator.metric("plimsoll_operator_reconcile_duration_seconds_count") > rounds + len(objects), 30
        )
        assert operator.stop() == 0
    notes = [json.loads(line) for line in record.read_text().splitlines()]
    called = {tuple(note["whom"][0][:2]) for note in notes if note["event"].startswith("socket.connect")}
    assert called == {("127.0.0.1", edge.control_plane.port)}
    others = [note for note in notes if note["event"] != "socket.connect" and note["whom"][0] not in OWN_NAMES]
    assert others == [], "no name is looked up, no datagram sent and no program started"
    with pytest.raises(BlockingIOError):
        trap.accept()


OWN_NAMES = {"127.0.0.1", "0.0.0.0"}
"""Its own listeners' addresses, which are looked up though they are no names."""
