"""The process from the outside: how it starts, what it refuses, how it ends. No cluster needed."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from operator_process import COMMAND, OperatorProcess, running_operator
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT, LEASE
from scripted_apiserver import ScriptedApiserver, ok, scripted_apiserver


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """Leads to an apiserver that is away."""
    path = tmp_path / "kubeconfig"
    ScriptedApiserver(url="https://127.0.0.1:9").write_kubeconfig(path)
    return path


def test_an_environment_that_does_not_fit_ends_it_with_2_and_every_problem() -> None:
    environment = {"PATH": os.environ["PATH"], "PLIMSOLL_METRICS_PORT": "http"}
    done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "plimsoll-operator: the environment does not fit"
    assert {line.partition(":")[0] for line in done.stderr.splitlines()[1:]} == {
        "POD_NAMESPACE",
        "PLIMSOLL_SERVER_IMAGE",
        "PLIMSOLL_METRICS_PORT",
    }


def test_without_a_way_to_the_apiserver_it_ends_with_1_and_says_what_to_set(tmp_path: Path) -> None:
    operator = OperatorProcess(tmp_path / "nowhere", tmp_path / "log")
    operator.start()
    assert operator.wait(30) == 1
    assert operator.said(f"cannot start: KUBECONFIG={tmp_path / 'nowhere'}: expected a readable kubeconfig")


def test_a_port_in_use_ends_it_with_1_and_names_the_variable(kubeconfig: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        operator = OperatorProcess(kubeconfig, tmp_path / "log", metrics_port=taken.getsockname()[1])
        operator.start()
        assert operator.wait(30) == 1
    assert operator.said("Address already in use): set PLIMSOLL_METRICS_PORT")


def test_while_the_apiserver_is_away_it_keeps_trying_turns_unhealthy_and_still_ends_in_order(
    kubeconfig: Path, tmp_path: Path
) -> None:
    with running_operator(kubeconfig, tmp_path / "log", PLIMSOLL_RESYNC_PERIOD="2s") as operator:
        assert operator.health() == 200
        while operator.health() == 200:
            assert operator.process is not None
            assert operator.process.poll() is None
            time.sleep(0.05)
        assert operator.health() == 503
        assert operator.said("cannot ask the apiserver for its version: GET /version")
        assert operator.stop(patience=10) == 0


async def test_a_leader_whose_lists_get_no_answer_turns_unhealthy_however_well_its_lease_is(tmp_path: Path) -> None:
    metadata = {"namespace": "plimsoll-system", "name": "plimsoll-operator", "resourceVersion": "1"}
    lease = {"metadata": metadata, "spec": {"leaseDurationSeconds": 1}}
    async with scripted_apiserver() as apiserver:
        leases = LEASE.path("plimsoll-system", "plimsoll-operator")
        apiserver.answer(f"GET {leases}", ok(lease))
        apiserver.answer(f"PUT {leases}", ok(lease))
        apiserver.answer(f"GET {INFERENCE_DEPLOYMENT.path()}", (0, {}))
        apiserver.write_kubeconfig(tmp_path / "kubeconfig")
        with running_operator(tmp_path / "kubeconfig", tmp_path / "log", PLIMSOLL_RESYNC_PERIOD="1s") as operator:
            await until(lambda: operator.metric("plimsoll_operator_leading") == 1)
            assert await asyncio.to_thread(operator.health) == 200
            await until(lambda: operator.health() == 503)
            assert await asyncio.to_thread(operator.metric, "plimsoll_operator_leading") == 1


async def test_an_apiserver_older_than_1_30_is_told_and_not_served(tmp_path: Path) -> None:
    async with scripted_apiserver() as apiserver:
        apiserver.answer("GET /version", ok({"major": "1", "minor": "29", "gitVersion": "v1.29.4"}))
        apiserver.write_kubeconfig(tmp_path / "kubeconfig")
        operator = OperatorProcess(tmp_path / "kubeconfig", tmp_path / "log")
        operator.start()
        assert await asyncio.to_thread(operator.wait, 30) == 1
        assert apiserver.asked() == ["GET /version"]
    assert operator.said("cannot start: expected Kubernetes 1.30 or later, found v1.29.4: upgrade the cluster")


async def until(true: Callable[[], bool]) -> None:
    """Wait for an answer of the process, while this loop answers for its apiserver."""
    for _ in range(300):
        if await asyncio.to_thread(true):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("not within 30 s")
