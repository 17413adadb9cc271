"""A real server with two workers: killed ones cost no answer, and none outlives the server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from server_builders import server_config
from server_process import ServerProcess, environment, process

PATIENCE = 240
TEXTS = ("the tides near the old harbour", "a new tyre", "anchor and tides", "the gearbox of an old engine")


def workers_of(server: ServerProcess) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children()


def series(server: ServerProcess, name: str, label: str) -> dict[str, float]:
    text = httpx.get(f"http://127.0.0.1:{server.variables['PLIMSOLL_METRICS_PORT']}/metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.labels[label]: sample.value for sample in samples if sample.name == name}


async def ask_until_told(client: httpx.AsyncClient, enough: asyncio.Event) -> list[tuple[str, int, str]]:
    answers = []
    number = 0
    while not enough.is_set():
        text = TEXTS[number % len(TEXTS)]
        number += 1
        # Each is different, so that it is worked for and not remembered.
        answer = await client.post("/predict", json={"inputs": f"{text} " + "old " * (number % 20)})
        answers.append((text, answer.status_code, answer.json()[0]["label"] if answer.is_success else answer.text))
    return answers


async def until_replaced(server: ServerProcess) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            up = await asyncio.to_thread(series, server, "plimsoll_worker_up", "worker")
            restarts = await asyncio.to_thread(series, server, "plimsoll_worker_restarts_total", "worker")
            if sum(restarts.values()) == 1 and set(up.values()) == {1.0}:
                return
            await asyncio.sleep(0.1)


async def test_two_workers_lose_no_request_when_one_is_killed_and_none_outlives_the_server(
    topic_folder: Path, tmp_path: Path
) -> None:
    variables = environment(server_config(topic_folder), PLIMSOLL_DEVICES="2", PLIMSOLL_REQUEST_DEADLINE_SECONDS="200")
    with process(tmp_path, variables) as server:
        await asyncio.to_thread(server.until_ready)
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:
            info = (await client.get("/info")).json()
            assert info["devices"] == 2
            assert {"fetch", "import", "load", "self_test", "calibrate"} <= set(info["start_seconds"])
            assert "torch" not in mapped_libraries(server.process.pid), "the server feeds workers and computes nothing"

            enough = asyncio.Event()
            asking = [asyncio.create_task(ask_until_told(client, enough)) for _ in range(8)]
            await asyncio.sleep(0.5)
            workers_of(server)[0].kill()
            await until_replaced(server)
            enough.set()
            answers = [answer for task in asking for answer in await task]
            assert {(text, status) for text, status, _ in answers} == {(text, 200) for text in TEXTS}
            labels = {text: {label for other, _, label in answers if other == text} for text in TEXTS}
            assert all(len(seen) == 1 for seen in labels.values()), "whoever answers says the same"
            batches = series(server, "plimsoll_worker_batches_total", "worker")
            assert min(batches.values()) > 0
            assert set(series(server, "plimsoll_start_phase_seconds", "phase")) == set(info["start_seconds"])

        orphans = workers_of(server)
        assert len(orphans) == 2
        server.process.kill()
        assert not psutil.wait_procs(orphans, timeout=PATIENCE)[1], "they end when the server is gone"


def mapped_libraries(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()
