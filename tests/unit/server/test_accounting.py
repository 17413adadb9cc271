"""What the metrics say of a request and of the batch that it failed with: each failure once, by who can help it."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise

import pytest

from asgi_caller import caller_of
from plimsoll_server.api.accounting import Accounting
from plimsoll_server.api.app import make_app
from plimsoll_server.api.around import Around
from plimsoll_server.api.key_ring import parse_keys
from plimsoll_server.api.problems import (
    NON_FINITE,
    NOT_SERVING,
    OUT_OF_MEMORY,
    RATE_LIMITED,
    TIMEOUT,
    TOO_LONG,
    UNAUTHORIZED,
)
from plimsoll_server.api.state import Service
from plimsoll_server.config import parse_config
from plimsoll_server.lifecycle import Lifecycle
from plimsoll_server.logs import FIELDS
from plimsoll_server.telemetry import OUTCOMES, Identity, Telemetry
from plimsoll_server.types import BatchReport, Failure, LabelLogits
from server_builders import server_config

LABELS = {"inference_namespace": "n", "inference_deployment": "d", "revision": "r", "replica": "p"}
GOOD = LabelLogits((0.0,))


def telemetry() -> Telemetry:
    return Telemetry(Identity("n", "d", "r", "p"), ["short"])


def value(told: Telemetry, name: str, **labels: str) -> float:
    found = told.registry.get_sample_value(name, {**LABELS, **labels})
    assert found is not None, "it was there from the start"
    return found


def answering(status: int, state: Mapping[str, object]) -> Callable[..., Awaitable[None]]:
    async def app(scope: dict[str, dict[str, object]], receive: object, send: Callable[..., Awaitable[None]]) -> None:
        scope["state"].update(state)
        await send({"type": "http.response.start", "status": status, "headers": []})

    return app


async def account(told: Telemetry, status: int, state: Mapping[str, object]) -> None:
    async def nothing(_: object = None) -> dict[str, object]:
        return {}

    accounting = Accounting(answering(status, state), {"/predict"}.__contains__, Lifecycle(), told)
    await accounting({"type": "http", "path": "/predict"}, nothing, nothing)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "state", "outcome", "incidents"),
    [
        pytest.param(200, {}, "ok", 0, id="answered"),
        pytest.param(200, {"remembered": True}, "remembered", 0, id="answered without the model"),
        pytest.param(413, {}, "too_long", 0, id="too long"),
        pytest.param(400, {"problem": TOO_LONG}, "too_long", 0, id="too long, in a protocol that says 400"),
        pytest.param(422, {}, "invalid", 0, id="not understood"),
        pytest.param(499, {}, "cancelled", 0, id="the caller left"),
        pytest.param(401, {"problem": UNAUTHORIZED}, "invalid", 0, id="without a key"),
        pytest.param(429, {}, "rejected", 1, id="shed"),
        pytest.param(429, {"problem": RATE_LIMITED}, "limited", 0, id="a caller above its rate"),
        pytest.param(503, {"problem": NOT_SERVING}, "rejected", 1, id="not serving yet"),
        pytest.param(503, {"problem": OUT_OF_MEMORY}, "oom", 1, id="no memory to tokenise"),
        pytest.param(503, {"problem": OUT_OF_MEMORY, "of_batch": True}, "oom", 0, id="no memory in its batch"),
        pytest.param(500, {"problem": NON_FINITE, "of_batch": True}, "error", 0, id="no number from its batch"),
        pytest.param(500, {}, "error", 1, id="a fault of the server"),
        pytest.param(504, {"problem": TIMEOUT}, "error", 1, id="too late"),
    ],
)
async def test_a_request_counts_by_who_can_help_it(
    status: int, state: Mapping[str, object], outcome: str, incidents: int
) -> None:
    told = telemetry()
    await account(told, status, {"tier": "short", **state})
    counted = {name: value(told, "plimsoll_requests_total", tier="short", outcome=name) for name in OUTCOMES}
    assert counted == {**dict.fromkeys(OUTCOMES, 0), outcome: 1}
    assert value(told, "plimsoll_incidents_total", tier="short") == incidents


@pytest.mark.parametrize(
    ("outcomes", "failed"),
    [
        pytest.param((GOOD, GOOD), False, id="all answered"),
        pytest.param((GOOD, Failure.NON_FINITE), True, id="one of two"),
        pytest.param((Failure.OUT_OF_MEMORY,) * 32, True, id="all of many"),
    ],
)
def test_a_batch_is_one_incident_however_many_fail_with_it(outcomes: tuple[object, ...], failed: bool) -> None:
    report = BatchReport(outcomes)  # type: ignore[arg-type]
    told = telemetry()
    told.batch_done("short", report)
    assert value(told, "plimsoll_incidents_total", tier="short") == failed
    assert value(told, "plimsoll_batches_total", tier="short") == 1


def test_a_batch_that_was_saved_by_halving_is_no_incident() -> None:
    told = telemetry()
    told.batch_done("short", BatchReport((GOOD, GOOD), out_of_memory=True))
    assert value(told, "plimsoll_oom_total", tier="short") == 1
    assert value(told, "plimsoll_incidents_total", tier="short") == 0


def test_a_doubled_latency_always_falls_into_another_bucket() -> None:
    told = telemetry()
    [family] = [family for family in told.registry.collect() if family.name == "plimsoll_request_duration_seconds"]
    edges = [float(sample.labels["le"]) for sample in family.samples if sample.name.endswith("_bucket")]
    assert (edges[0], edges[-2], edges[-1]) == (0.001, 60, float("inf"))
    assert all(above / below < 2 for below, above in pairwise(edges[:-1]))


async def test_a_line_tells_of_every_request_but_those_of_probes(caplog: pytest.LogCaptureFixture) -> None:
    """Who guesses keys would otherwise do so where nothing is counted."""
    ring = parse_keys(b"a-key-of-the-first-caller")
    service = Service(parse_config(json.dumps(server_config("/models/domains"))), Lifecycle())
    app = make_app(service, telemetry(), max_body_bytes=1024, around=Around(keys=lambda: ring, access_log=True))
    call = caller_of(app)
    with caplog.at_level(logging.INFO, logger="plimsoll_server.api.access_log"):
        for path in ("/predict", "/info", "/nowhere", "/livez", "/v2/health/live"):
            await call(path)
    lines = [getattr(record, FIELDS) for record in caplog.records]
    assert [(line["path"], line["status"]) for line in lines] == [("/predict", 401), ("/info", 401), ("/nowhere", 401)]


@pytest.mark.parametrize(
    ("size", "told_as"),
    [
        pytest.param(20, "256", id="small"),
        pytest.param(4096, "4096", id="as large as its class"),
        pytest.param(4097, "8192", id="one byte more"),
        pytest.param(2**20, "1048576", id="the largest class"),
        pytest.param(2**20 + 1, "+Inf", id="beyond it"),
    ],
)
async def test_a_latency_is_told_by_the_size_of_the_body_as_well(size: int, told_as: str) -> None:
    told = telemetry()
    await account(told, 200, {"tier": "short", "body_size": size})
    assert value(told, "plimsoll_request_duration_seconds_count", tier="short") == 1
    assert value(told, "plimsoll_request_duration_by_size_seconds_count", tier="short", size=told_as) == 1
