"""What the probes are told, phase by phase and fault by fault."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from plimsoll_server.api.app import make_app
from plimsoll_server.api.state import Service
from plimsoll_server.config import parse_config
from plimsoll_server.lifecycle import Lifecycle
from plimsoll_server.scheduler.scheduler import Scheduler
from plimsoll_server.telemetry import Identity, Telemetry
from plimsoll_server.types import LoadLine
from server_builders import server_config


@dataclass
class Engine:
    busy: float = 0.0
    suspect: float = 0.0
    well: bool = True
    devices: int = 1

    def busy_seconds(self) -> float:
        return self.busy

    def suspect_seconds(self) -> float:
        return self.suspect

    async def proves_itself(self) -> bool:
        return self.well

    def line(self) -> LoadLine:
        return LoadLine()


def lifecycle(phase: str) -> Lifecycle:
    made = Lifecycle()
    if phase != "loading":
        made.loaded()
    if phase in ("serving", "draining"):
        made.serving()
    if phase == "draining":
        made.drain()
    return made


async def ask(phase: str, engine: Engine | None, scheduler: Scheduler | None = None) -> dict[str, httpx.Response]:
    config = parse_config(json.dumps(server_config("/models/domains")))
    service = Service(config, lifecycle(phase), scheduler, engine)
    app = make_app(service, Telemetry(Identity("n", "d", "r", "p"), ["short"]), max_body_bytes=1024)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pod") as client:
        return {path: await client.get(f"/{path}") for path in ("startupz", "livez", "readyz", "health")}


@pytest.mark.parametrize(
    ("phase", "engine", "startupz", "livez", "readyz", "health", "reason"),
    [
        pytest.param("loading", None, 503, 200, 503, 503, "loading", id="loading"),
        pytest.param("warming up", None, 200, 200, 503, 503, "warming up", id="the weights are there"),
        pytest.param("serving", Engine(), 200, 200, 200, 200, "ready", id="serving"),
        pytest.param("serving", Engine(busy=30), 200, 200, 200, 200, "ready", id="a long batch"),
        pytest.param("draining", Engine(), 200, 200, 503, 200, "draining", id="draining"),
        pytest.param(
            "serving", Engine(suspect=5, well=False), 200, 200, 503, 200, "out of memory", id="short of memory"
        ),
        pytest.param(
            "serving", Engine(suspect=61, well=False), 200, 503, 503, 503, "out of memory", id="it never came back"
        ),
        pytest.param("serving", Engine(busy=901), 200, 503, 503, 503, "running for 901 s", id="a batch that hangs"),
    ],
)
async def test_probes_are_told_the_truth(
    phase: str, engine: Engine | None, startupz: int, livez: int, readyz: int, health: int, reason: str
) -> None:
    answers = await ask(phase, engine)
    paths = ("startupz", "livez", "readyz", "health")
    assert [answers[path].status_code for path in paths] == [startupz, livez, readyz, health]
    assert reason in answers["readyz"].json()["status"]


@pytest.mark.parametrize(
    ("seconds", "livez", "readyz"),
    [
        pytest.param(0, 200, 200, id="it is not"),
        pytest.param(10, 200, 200, id="for a moment"),
        pytest.param(16, 200, 503, id="for longer than an idle engine takes to give memory back"),
        pytest.param(61, 503, 503, id="for good"),
    ],
)
async def test_a_server_that_can_read_no_text_is_not_ready_and_then_not_alive(
    seconds: int, livez: int, readyz: int
) -> None:
    def starved_seconds() -> float:
        return seconds

    scheduler: Any = SimpleNamespace(starved_seconds=starved_seconds)
    answers = await ask("serving", Engine(), scheduler)
    assert [answers[path].status_code for path in ("livez", "readyz")] == [livez, readyz]


async def test_requests_while_loading_are_told_when_to_come_back() -> None:
    service = Service(parse_config(json.dumps(server_config("/models/domains"))), Lifecycle())
    app = make_app(service, Telemetry(Identity("n", "d", "r", "p"), ["short"]), max_body_bytes=1024)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pod") as client:
        response = await client.post("/predict", json={"inputs": "sea"})
    assert (response.status_code, response.json()["error_type"]) == (503, "Unhealthy")
    assert response.headers["retry-after"] == "5"


async def test_a_drain_waits_for_those_in_flight_and_for_a_quiet_moment() -> None:
    life = lifecycle("draining")
    life.request_began()
    waiting = asyncio.create_task(life.drained(linger=0.1, deadline=60))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    life.request_ended()
    assert await asyncio.wait_for(waiting, 30)


async def test_a_drain_ends_at_its_deadline() -> None:
    life = lifecycle("draining")
    life.request_began()
    assert not await life.drained(linger=0, deadline=0.1)


async def test_told_twice_to_end_it_does_not_wait() -> None:
    life = lifecycle("draining")
    life.request_began()
    life.drain()
    assert not await asyncio.wait_for(life.drained(linger=0, deadline=60), 30)
