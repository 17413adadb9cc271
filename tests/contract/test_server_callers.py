"""A real server that knows its callers: keys, rates, and a log that tells who came and nothing of what they sent."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from plimsoll_server.api.app import PROBES
from plimsoll_server.logs import FIELDS
from redis_process import DEADLINE_SECONDS, RedisProcess, waited_for
from server_builders import server_config, topic_model
from server_process import Server, environment, process, serving

KEY, OTHER = "a-key-of-the-first-caller", "a-key-of-the-second-caller"
TEXT = "tides and the harbour"


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    """A Redis that is well answers at last."""
    with waited_for(DEADLINE_SECONDS):
        yield


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"# of two callers\n{KEY}\n{OTHER}\n")
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return topic_model(tmp_path / "model")


async def predict(server: Server, key: str, text: str = TEXT) -> httpx.Response:
    return await server.client.post("/predict", json={"inputs": text}, headers={"Authorization": f"Bearer {key}"})


async def test_callers_are_asked_for_a_key_held_to_their_rate_and_logged_without_content(
    folder: Path, keys: Path, redis: RedisProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = tmp_path / "url"
    address.write_text(redis.url)
    variables: dict[str, Any] = {
        "PLIMSOLL_API_KEYS_FILE": str(keys),
        "PLIMSOLL_RATE_LIMIT": "3/hour",
        "PLIMSOLL_REDIS_URL_FILE": str(address),
        "PLIMSOLL_ACCESS_LOG": "true",
    }
    with caplog.at_level(logging.INFO, "plimsoll_server"):
        async with serving(server_config(folder), **variables) as server:
            get = server.client.get
            for path in ("/predict", "/info", "/docs", "/openapi.json", "/v1/models", "/no-such-path", "/livez/"):
                refused = await get(path)
                assert (refused.status_code, path) == (401, path)
                assert refused.headers["plimsoll-revision"] == "abc", "it is signed like any answer"
            for probe in PROBES:
                assert (await get(probe)).status_code == 200
            assert (await server.predict(TEXT)).status_code == 401
            large = await server.client.post("/predict", content=b"x" * (6 << 20))
            assert large.status_code == 401, "though most of it was still on its way"
            assert [(await predict(server, KEY)).status_code for _ in range(4)] == [200, 200, 200, 429]
            assert (await predict(server, OTHER, "anchor")).status_code == 200
            metrics = await server.metrics()
    assert metrics["plimsoll_requests_total", "none", "limited"] == 1
    assert metrics["plimsoll_requests_total", "none", "invalid"] == 3, "without a key: no fault of the server's"
    assert metrics["plimsoll_requests_total", "short", "ok"] == 2
    assert metrics["plimsoll_requests_total", "short", "remembered"] == 2
    assert metrics["plimsoll_incidents_total", "none"] == 0
    assert metrics[("plimsoll_rate_limit_faults_total",)] == 0
    told = [getattr(record, FIELDS) for record in caplog.records if record.getMessage() == "request"]
    statuses: dict[str | None, list[int]] = {}
    for line in told:
        statuses.setdefault(line["caller"], []).append(line["status"])
    assert list(statuses.values()) == [[401] * 9, [200, 200, 200, 429], [200]], "of every path but those of probes"
    assert next(iter(statuses)) is None
    for secret in (KEY, OTHER, redis.password, "harbour"):
        assert secret not in json.dumps(told) + caplog.text


@pytest.mark.parametrize(
    ("variable", "content", "says"),
    [
        pytest.param("PLIMSOLL_API_KEYS_FILE", None, "keys cannot be read", id="no keys"),
        pytest.param("PLIMSOLL_API_KEYS_FILE", "short", "line 1 has 5 characters", id="a short key"),
        pytest.param("PLIMSOLL_REDIS_URL_FILE", "redis", "expected the address of a Redis", id="no address"),
    ],
)
def test_a_file_that_cannot_be_used_keeps_the_server_from_starting(
    tmp_path: Path, variable: str, content: str | None, says: str
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)
    told = environment(server_config("/models/none"), PLIMSOLL_RATE_LIMIT="1/day", **{variable: str(file)})
    with process(tmp_path, told) as server:
        assert server.ends_with() == 1
    last = json.loads(server.log.read_text().splitlines()[-1])["message"]
    assert says in last
    assert str(file) in last


@pytest.mark.parametrize("named", ["10.9.9.{}", "of my own making {}"], ids=["an address", "no address"])
async def test_a_header_makes_nobody_another_caller(folder: Path, named: str) -> None:
    async with serving(server_config(folder), PLIMSOLL_RATE_LIMIT="2/day") as server:
        statuses = [
            (
                await server.client.post(
                    "/predict", json={"inputs": TEXT}, headers={"X-Forwarded-For": named.format(number)}
                )
            ).status_code
            for number in range(4)
        ]
    assert statuses == [200, 200, 429, 429]


async def test_nothing_of_it_is_there_unless_it_is_asked_for(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "plimsoll_server"):
        async with serving(server_config(folder)) as server:
            assert (await server.predict(TEXT)).status_code == 200
    assert [record for record in caplog.records if record.getMessage() == "request"] == []
