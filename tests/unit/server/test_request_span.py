"""The span of a request: in whose trace, how many of them, and what a collector that is away costs."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from asgi_caller import Call, Inner, caller_of
from otlp_collector import Collector, SeenSpan, collecting
from plimsoll_server.api.auth import Auth
from plimsoll_server.api.key_ring import parse_keys
from plimsoll_server.api.request_span import RequestSpan
from plimsoll_server.span_export import SpanExport
from plimsoll_server.telemetry import Identity

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
IDENTITY = Identity("guardrails", "domains", "abc", "domains-1")
KEY = "a-key-of-the-only-caller"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """One that answers at last, on whatever machine."""
    monkeypatch.setattr("plimsoll_server.span_export._LAST_SPANS_SECONDS", 60)
    with collecting() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        yield found


@asynccontextmanager
async def traced_calls() -> AsyncIterator[Call]:
    """Of an application that asks for a key. What was traced is at the collector when the context ends."""
    export = SpanExport(os.environ, IDENTITY)
    ring = parse_keys(KEY.encode())
    yield caller_of(RequestSpan(Auth(Inner(), lambda: ring, lambda _: False), export.tracer, {"/predict"}.__contains__))
    await export.close()


def sent(traceparent: str, key: str = KEY) -> dict[str, str]:
    return {"traceparent": traceparent, "Authorization": f"Bearer {key}"}


async def spans_of(collector: Collector, *traceparents: str) -> list[SeenSpan]:
    async with traced_calls() as call:
        for traceparent in traceparents:
            assert (await call(headers=sent(traceparent))).status_code == 200
    return collector.spans


@pytest.mark.parametrize(
    "unsound", ["", "nonsense", "00-0-0-01", f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01"]
)
async def test_without_a_sound_context_a_trace_begins_here(collector: Collector, unsound: str) -> None:
    [span] = await spans_of(collector, unsound)
    assert span.parent == ""
    assert span.trace != TRACE


async def test_a_callers_trace_goes_on_and_what_it_does_not_sample_is_not_told(collector: Collector) -> None:
    [span] = await spans_of(collector, NOT_SAMPLED, SAMPLED, NOT_SAMPLED)
    assert (span.trace, span.parent) == (TRACE, PARENT)


async def test_a_share_is_sampled_as_the_environment_says_and_what_a_caller_samples_is(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    [span] = await spans_of(collector, "", SAMPLED, "")
    assert span.trace == TRACE


async def test_a_refusal_is_told_by_its_kind_and_its_caller_by_a_short_hash(collector: Collector) -> None:
    async with traced_calls() as call:
        await call(headers=sent(SAMPLED, "a-key-that-nobody-has"))
        await call(headers=sent(SAMPLED))
        await call("/livez", headers=sent(SAMPLED))
    refused, answered = collector.spans
    assert (refused.attributes["http.response.status_code"], refused.attributes["error.type"]) == (
        401,
        "invalid_api_key",
    )
    assert len(answered.attributes["plimsoll.caller"]) == 12
    assert KEY not in repr(collector.spans)


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        pytest.param({}, "domains", id="as the object is called"),
        pytest.param({"OTEL_SERVICE_NAME": "mine"}, "mine", id="by its own variable"),
        pytest.param({"OTEL_RESOURCE_ATTRIBUTES": "service.name=ours,team=a"}, "ours", id="among the attributes"),
    ],
)
async def test_the_service_is_named_as_its_object_unless_told_otherwise(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    await spans_of(collector, SAMPLED)
    [resource] = collector.resources
    assert resource["service.name"] == name
    assert resource["service.instance.id"] == "domains-1"


async def test_a_collector_that_hangs_costs_no_request_and_little_of_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{hanging.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "4")
        async with traced_calls() as call:
            assert (await call(headers=sent(SAMPLED))).status_code == 200
        assert "the last spans are lost" in caplog.text
        [sending] = [thread for thread in threading.enumerate() if thread.name == "last-spans"]
        sending.join(60)
