"""A server on a GPU: how many short texts it answers, and what happens at its load line and without memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from serving.client import Load
from serving.contest import BENCH, TIED
from serving.folders import model_folder
from serving.running import Running, free_port, running
from serving.services import plimsoll
from serving.shapes import BASE
from serving.texts import Lengths, texts

_LONG = 32_768
_LEFT_BYTES = 256 << 20
"""What the neighbour leaves of the GPU's memory: less than one long text takes."""
_NEIGHBOUR_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of some requests, and how often memory ran out meanwhile."""

    at_once: int
    answered: int
    refused: dict[int, int]
    per_second: float
    out_of_memory: int


def short_texts(requests: int, at_once: int, rounds: int) -> list[Answers]:
    """Texts of 512 tokens over HTTP."""
    with _server(512, 256, percent=85) as (server, metrics):
        server.load(texts(BASE, Lengths(512, 512), at_once, seed=-1), at_once)
        return [
            _answers(server, metrics, at_once, texts(BASE, Lengths(512, 512), requests, seed=number))
            for number in range(rounds)
        ]


def at_the_line(rounds: int, percent: int) -> Answers:
    """As many of the longest texts at once as the server says are safe, with `percent` of the GPU's memory."""
    with _server(_LONG, 64, percent) as (server, metrics):
        safe = _safe(server.port)
        return _answers(server, metrics, safe, texts(BASE, Lengths(_LONG, _LONG), safe * rounds, seed=0))


def with_a_neighbour(requests: int) -> dict[str, Answers]:
    """Another process takes the GPU's memory, and gives it back: what is answered with it, and after it."""
    long = Lengths(_LONG, _LONG)
    with _server(_LONG, 8, percent=85) as (server, metrics):
        with neighbour(_LEFT_BYTES):
            beside = _answers(server, metrics, 4, texts(BASE, long, requests, seed=1))
        after = _answers(server, metrics, 4, texts(BASE, long, requests, seed=2))
    return {"beside": beside, "after": after}


@contextmanager
def neighbour(leave: int) -> Iterator[None]:
    """A process that holds all of the GPU's free memory but `leave` bytes."""
    program = Path(BENCH).with_name("bench_gpu.py")
    with subprocess.Popen(  # noqa: S603 - our own program
        [*TIED, sys.executable, str(program), "neighbour", str(leave)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "held\n":
                raise RuntimeError("the neighbour could not take the GPU's memory; what it said stands above")
            yield
        finally:
            process.kill()
            process.wait(_NEIGHBOUR_SECONDS)


def hold_memory(leave: int) -> None:
    """Take what is free but `leave` bytes, say so, and keep it until standard input ends."""
    import torch

    free, _ = torch.cuda.mem_get_info()
    held = torch.empty(max(0, free - leave), dtype=torch.uint8, device="cuda")
    torch.cuda.synchronize()
    sys.stdout.write("held\n")
    sys.stdout.flush()
    sys.stdin.read()
    del held


@contextmanager
def _server(most_tokens: int, concurrency: int, percent: int) -> Iterator[tuple[Running, int]]:
    """A server of one tier, and the port of its metrics."""
    document = {
        "model": {"location": str(model_folder(BASE)), "dtype": "bfloat16"},
        "tiers": [{"name": "only", "maxTokens": most_tokens, "concurrency": concurrency}],
        "memoryUtilizationPercent": percent,
    }
    metrics = free_port()
    service = plimsoll(BASE, model_folder(BASE), document=document, PLIMSOLL_METRICS_PORT=str(metrics))
    with running(service) as server:
        yield server, metrics


def _answers(server: Running, metrics: int, at_once: int, batch: list[str]) -> Answers:
    before = _out_of_memory(metrics)
    load: Load = server.load(batch, at_once)
    return Answers(
        at_once, len(load.latencies), dict(load.refused), round(load.rate, 2), _out_of_memory(metrics) - before
    )


def _safe(port: int) -> int:
    found: int = _read(port, "/info")["load_line"]["tiers"][0]["safe"]
    return found


def _read(port: int, path: str) -> Any:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return json.load(answer)


def _out_of_memory(port: int) -> int:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return int(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("plimsoll_oom_total{")))
