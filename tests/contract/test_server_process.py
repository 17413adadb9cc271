"""A server as a process of its own: its memory, its end, and why it may refuse to begin."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx
import pytest

from server_builders import random_model, server_config
from server_process import ServerProcess, environment, process

MEBIBYTE = 1 << 20


def predict(server: ServerProcess, text: str, timeout: float = 60) -> httpx.Response:
    return httpx.post(f"{server.url}/predict", json={"inputs": text}, timeout=timeout)


def data_bytes(server: ServerProcess) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData:"))


def test_a_text_too_large_for_the_memory_gets_503_and_the_process_goes_on(tmp_path: Path) -> None:
    """With a real limit: 8,000 tokens of this model take nearly half a gigabyte, and two thirds of that are there."""
    folder = random_model(
        tmp_path, hidden_size=2048, intermediate_size=512, num_hidden_layers=2, max_position_embeddings=8192
    )
    tiers = [
        {"name": "short", "maxTokens": 2048, "concurrency": 4},
        {"name": "long", "maxTokens": 8192, "concurrency": 1},
    ]
    config = server_config(folder, tiers=tiers, memoryUtilizationPercent=100, longInput={"policy": "Native"})
    variables = environment(config, PLIMSOLL_MEMORY_LIMIT_BYTES=str(1010 * MEBIBYTE))
    with process(tmp_path, variables) as server:
        server.until_ready()
        at_rest = data_bytes(server)
        assert predict(server, "x" * 400).status_code == 200
        for _ in range(2):
            refused = predict(server, "x" * 8000)
            assert (refused.status_code, refused.json()["error_type"]) == (503, "OutOfMemory")
            assert int(refused.headers["retry-after"]) > 0
            assert "8002 tokens (tier long) does not fit" in refused.json()["error"]
            assert predict(server, "x" * 400).status_code == 200, "the next one is served"
        with ThreadPoolExecutor(4) as callers:
            together = list(callers.map(lambda _: predict(server, "x" * 400), range(8)))
        assert [response.status_code for response in together] == [200] * 8
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        assert data_bytes(server) < at_rest + 300 * MEBIBYTE, "what failed was given back"
        metrics = httpx.get(f"http://127.0.0.1:{variables['PLIMSOLL_METRICS_PORT']}/metrics").text
        assert server.process.poll() is None
    lost = [line for line in metrics.splitlines() if line.startswith("plimsoll_oom_total") and 'tier="long"' in line]
    assert [line.rsplit(" ", 1)[1] for line in lost] == ["2.0"]


def test_a_drain_under_load_answers_every_request_and_logs_no_content(tmp_path: Path) -> None:
    """Callers go on for half a second after readiness is gone, as a Service's proxies would, then stop coming."""
    folder = random_model(tmp_path, hidden_size=128, num_hidden_layers=6)
    config = server_config(folder, tiers=[{"name": "short", "maxTokens": 512, "concurrency": 8}])
    variables = environment(
        config,
        PLIMSOLL_DRAIN_LINGER_SECONDS="6",
        PLIMSOLL_REQUEST_DEADLINE_SECONDS="30",
        PLIMSOLL_ACCESS_LOG="true",
    )
    stop = threading.Event()
    outcomes: list[int | str] = []
    numbers = count()

    def caller(server: ServerProcess) -> None:
        """Texts that differ: one that was asked before is remembered, and drains nothing."""
        with httpx.Client(base_url=server.url, timeout=40) as client:
            while not stop.is_set():
                text = f"near the sea {next(numbers)} " * 20
                try:
                    outcomes.append(client.post("/predict", json={"inputs": text}).status_code)
                except httpx.TransportError as error:
                    outcomes.append(repr(error))

    with process(tmp_path, variables) as server:
        server.until_ready()
        with ThreadPoolExecutor(8) as callers:
            running = [callers.submit(caller, server) for _ in range(8)]
            time.sleep(1)
            before = len(outcomes)
            server.terminate()
            server.until_answers("/readyz", 503)
            ready = httpx.get(f"{server.url}/readyz", timeout=30)
            time.sleep(0.5)
            stop.set()
            for task in running:
                task.result(60)
        code = server.ends_with(30)
        log = server.log.read_text()
    assert (ready.status_code, ready.json()["status"]) == (503, "draining")
    assert ready.headers["connection"] == "close"
    assert set(outcomes) == {200}, "nobody was lost"
    assert len(outcomes) > before, "those who came while it drained were answered too"
    assert code == 0
    lines = [json.loads(line) for line in log.splitlines()]
    assert lines[-1]["message"] == "drained"
    requests = [line for line in lines if line["message"] == "request"]
    assert len(requests) == len(outcomes)
    assert {(line["path"], line["status"], line["outcome"], line["tier"]) for line in requests} == {
        ("/predict", 200, "ok", "short")
    }
    assert "near the sea" not in log, "a log tells no content"


def test_told_to_end_while_it_loads_it_ends_at_once(tmp_path: Path) -> None:
    """It answers probes long before the model is there: alive, not ready."""
    with process(tmp_path, environment(server_config(random_model(tmp_path)))) as server:
        server.until_answers("/livez", 200)
        assert httpx.get(f"{server.url}/readyz", timeout=30).status_code == 503
        server.terminate()
        assert server.ends_with(30) == 0
    assert "told to end while loading" in server.log.read_text()


def last_words(server: ServerProcess) -> tuple[int, str]:
    """Exit code and the message of the last line that a server leaves which cannot begin."""
    code = server.ends_with()
    return code, json.loads(server.log.read_text().splitlines()[-1])["message"]


@pytest.mark.parametrize("variable", ["PLIMSOLL_HTTP_PORT", "PLIMSOLL_METRICS_PORT"])
def test_a_port_in_use_is_named(tmp_path: Path, variable: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with process(tmp_path, environment(server_config("/models/none"), **{variable: port})) as server:
            code, message = last_words(server)
    assert code == 1
    assert f"port {port} on 127.0.0.1 is in use by another process; stop it, or set {variable}" in message


def test_a_configuration_of_another_version_is_refused(tmp_path: Path) -> None:
    with process(tmp_path, environment(server_config("/models/none", version=2))) as server:
        code, message = last_words(server)
    assert code == 1
    assert "this server reads version 1" in message
