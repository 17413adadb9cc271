"""Whatever callers send, the metrics have the series that the code declares: names and values of labels are few."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from emitted_metrics import server_metrics
from plimsoll_server.api.app import ABOUT, PROTOCOLS
from plimsoll_server.phases import PHASES
from plimsoll_server.telemetry import _BUCKETS, _SIZES, OUTCOMES, SOURCES, size_class
from plimsoll_server.types import NO_TIER
from server_builders import server_config, topic_model
from server_process import IDENTITY, Server, serving

TIERS = ("short", "long")
ALLOWED = {
    "tier": {*TIERS, NO_TIER},
    "outcome": {*OUTCOMES},
    "source": {*SOURCES},
    "size": {*map(size_class, (*_SIZES, _SIZES[-1] + 1))},
    "le": {*map(floatToGoString, (*_BUCKETS, float("inf")))},
    "kind": {"used", "limit", "unused", "planned"},
    "phase": {*PHASES},
    "inference_namespace": {IDENTITY["POD_NAMESPACE"]},
    "inference_deployment": {IDENTITY["PLIMSOLL_DEPLOYMENT"]},
    "revision": {IDENTITY["PLIMSOLL_REVISION"]},
    "replica": {IDENTITY["POD_NAME"]},
}
"""Of a server without workers and GPUs, which are numbered from 0."""
DECLARED = server_metrics()
KEY, MARK = "a-key-of-more-than-32-characters-x", "flotsam"
"""All that a caller makes up has that mark."""
METHODS = ("POST", "POST", "POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "PATCH", "PROPFIND")
ROUTES = sorted(
    {route.path for router in (*PROTOCOLS, *ABOUT) for route in router.routes if isinstance(route, APIRoute)}
)

Series = tuple[str, frozenset[tuple[str, str]]]


async def page(server: Server) -> str:
    port = server.variables["PLIMSOLL_METRICS_PORT"]
    return (await server.client.get(f"http://127.0.0.1:{port}/metrics")).text


def series_of(text: str) -> set[Series]:
    families = text_string_to_metric_families(text)
    return {(sample.name, frozenset(sample.labels.items())) for family in families for sample in family.samples}


class Caller:
    """Draws requests that nobody should send, among them some that are in order but for what is made up beside."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)

    def flotsam(self) -> str:
        return f"{MARK}{self._draw.randrange(1 << 40):x}"

    def request(self) -> dict[str, Any]:
        return {
            "method": self._draw.choice(METHODS),
            "url": self._draw.choice(self._paths()),
            "params": {self.flotsam(): self.flotsam(), "tier": self.flotsam(), "outcome": "ok"},
            "headers": self._headers(),
            "content": self._draw.choice(self._bodies()),
        }

    def in_order(self) -> dict[str, Any]:
        """One that is answered, but for a text that is too long, a caller in a hurry, and one that is not let in."""
        url, body = self._draw.choice(
            [
                ("/predict", {"inputs": self._text()}),
                ("/classify", {"input": self._text(), "model": "domains", "user": self.flotsam()}),
                ("/infer", {"tokens": [[4, 5, 6]], "batch_size": 1}),
            ]
        )
        headers = {**self._headers(), "content-type": "application/json"}
        headers.pop("content-encoding", None)
        return {"method": "POST", "url": url, "headers": headers, "content": json.dumps(body)}

    def _paths(self) -> list[str]:
        names = [re.sub(r"{.*?}", lambda _: self.flotsam(), route) for route in ROUTES if "{" in route]
        ours = [re.sub(r"{.*?}", "domains", route.replace("{version}", "1")) for route in ROUTES]
        return [
            *names,
            *ours,
            f"/{self.flotsam()}",
            f"/predict/{self.flotsam()}",
            f"/%2e%2e/{self.flotsam()}",
            "/metrics",
        ]

    def _headers(self) -> dict[str, str]:
        drawn = {
            "authorization": self._draw.choice([f"Bearer {KEY}", f"Bearer {KEY}", f"Bearer {self.flotsam()}", MARK]),
            "content-type": self._draw.choice(["application/json", "application/json", f"text/{self.flotsam()}"]),
            "content-encoding": self.flotsam(),
            "user-agent": self.flotsam(),
            "x-request-id": self.flotsam(),
            "x-forwarded-for": f"10.{self._draw.randrange(256)}.0.1",
            "x-plimsoll-tier": self.flotsam(),
            "x-request-timeout": self._draw.choice(["60", "60", "1e-6", "0", "-1", "nan", "1e400", self.flotsam()]),
            "traceparent": f"00-{self._draw.randrange(1, 1 << 128):032x}-00f067aa0ba902b7-01",
            self.flotsam(): self.flotsam(),
        }
        sent: list[str] = self._draw.sample([*drawn], k=self._draw.randrange(len(drawn)))
        return {name: drawn[name] for name in {*sent, "authorization"}}

    def _bodies(self) -> list[bytes]:
        text, made_up = self._text(), self.flotsam()
        tensor = {"name": made_up, "shape": [1], "datatype": self.flotsam(), "data": [text]}
        documents: list[Any] = [
            {"inputs": text},
            {"inputs": [text] * 3, "tier": made_up, "parameters": {made_up: made_up}},
            {"input": text, "model": made_up, "user": made_up, "encoding_format": made_up},
            {"inputs": [tensor], "id": made_up, "outputs": [{"name": made_up}]},
            {"tokens": [[self._draw.randrange(1 << 31)]], "batch_size": -1},
            {made_up: {made_up: [made_up]}},
            made_up,
        ]
        return [*(json.dumps(document).encode() for document in documents), b"", b"[" * 500, b"\xff\xfe" * 40]

    def _text(self) -> str:
        """Of a few words to more than the largest tier carries, and of as many bytes as there are classes of sizes."""
        return f"{self.flotsam()} " + "tides " * self._draw.choice([0, 3, 20, 60, 200, 300, 3000])


@pytest.mark.parametrize(
    ("guarded", "outcomes"),
    [
        pytest.param(False, {"ok", "remembered", "too_long", "invalid", "cancelled"}, id="open to all"),
        pytest.param(True, {"ok", "invalid", "limited"}, id="with keys and rates"),
    ],
)
async def test_no_request_adds_a_series_that_is_not_declared(tmp_path: Path, guarded: bool, outcomes: set[str]) -> None:
    (tmp_path / "keys").write_text(f"{KEY}\n")
    around: dict[str, Any] = (
        {"PLIMSOLL_API_KEYS_FILE": str(tmp_path / "keys"), "PLIMSOLL_RATE_LIMIT": "60/hour"} if guarded else {}
    )
    config, caller = server_config(topic_model(tmp_path / "model"), longInput={"policy": "Reject"}), Caller(seed=7)
    async with serving(config, **around) as server:
        first = {"authorization": f"Bearer {KEY}"}
        await server.client.post("/predict", json={"inputs": "tides"}, headers=first)
        before = series_of(await page(server))
        for _ in range(150):
            await send(server, caller.request())
            await send(server, caller.in_order())
        told, counts = await page(server), await server.metrics()
    after = series_of(told)
    for name, labels in after:
        values = dict(labels)
        assert set(values) == DECLARED[name]
        assert all(value in ALLOWED[label] for label, value in values.items()), values
    added = {(name.rpartition("_seconds")[0], dict(labels)["tier"]) for name, labels in after - before}
    assert added <= {("plimsoll_request_duration_by_size", tier) for tier in TIERS}, "one for each class of sizes"
    assert MARK not in told
    assert outcomes <= {name[2] for name, count in counts.items() if name[0] == "plimsoll_requests_total" and count}


async def send(server: Server, request: Mapping[str, Any]) -> None:
    """The connection may end: for a method, say, that no reader of HTTP knows."""
    with suppress(httpx.RemoteProtocolError):
        await server.client.request(**request)
