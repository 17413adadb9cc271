"""The client of Prometheus' API against servers that answer, refuse, lie and hang: each is an answer of its own."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, make_owner, make_spec
from plimsoll_operator.cluster.measuring import Measuring
from plimsoll_operator.cluster.prometheus import MOST_BYTES, Prometheus, PrometheusAccess
from plimsoll_operator.cluster.prometheus_answer import MOST_SERIES, PrometheusError, read_answer
from plimsoll_operator.observed import Owner
from plimsoll_operator.rollout.measuring.measurements import Measurements
from plimsoll_operator.rollout.measuring.signals import SIGNALS
from scripted_apiserver import Answer, ScriptedApiserver, ok, scripted_apiserver
from tls_files import Issuer

RANGE = "GET /api/v1/query_range"
EMPTY = {"status": "success", "data": {"resultType": "matrix", "result": []}}
SECRET = "eyJhbGciOi.the.token"


@pytest.fixture
async def server() -> AsyncIterator[ScriptedApiserver]:
    async with scripted_apiserver() as server:
        server.answer(RANGE, ok(EMPTY))
        yield server


def owner(seconds: float = 60) -> Owner:
    """An object whose canary has been compared up to so many seconds ago."""
    until = (NOW - timedelta(seconds=seconds)).isoformat()
    evidence = {"canary": "new", "stable": "old", "since": until, "until": until}
    status = {
        "rollout": {"canary": "new", "evidence": evidence},
        "revisions": [{"hash": "new", "readyReplicas": 1}],
    }
    return make_owner(make_spec(), status)


def measuring(url: str, *, deadline: float = 10, **access: Any) -> Measuring:
    prometheus = Prometheus(PrometheusAccess(url, **access))
    return Measuring(prometheus, lambda: NOW, lambda _: None, deadline=timedelta(seconds=deadline))


async def measured(url: str, **options: Any) -> Measurements:
    found = await measuring(url, **options).measure(owner())
    assert found is not None
    return found


def series(**labels: str) -> dict[str, Any]:
    return {"metric": labels, "values": [[NOW.timestamp(), "1"]]}


ANSWERS: dict[str, tuple[Answer, str, str]] = {
    "no credentials": ((401, {}), "PrometheusRefused", "HTTP 401"),
    "wrong credentials": ((403, b"forbidden"), "PrometheusRefused", "bearerTokenSecret"),
    "a query it cannot read": (
        (400, {"status": "error", "errorType": "bad_data", "error": "parse error"}),
        "PrometheusQueryInvalid",
        "parse error",
    ),
    "a query that it will not run": (
        (422, {"status": "error", "errorType": "execution", "error": "too many samples"}),
        "PrometheusQueryInvalid",
        "too many samples",
    ),
    "a server that starts": ((503, b"<html>Service Unavailable</html>"), "PrometheusUnreachable", "HTTP 503"),
    "too many requests": ((429, {}), "PrometheusUnreachable", "HTTP 429"),
    "another server": ((404, b"not found"), "PrometheusAnswerInvalid", "expected Prometheus' API"),
    "a page": (ok(b"<html>welcome</html>"), "PrometheusAnswerInvalid", "something else"),
    "JSON of another API": (ok({"kind": "Status"}), "PrometheusAnswerInvalid", "something else"),
    "a list": (ok([1]), "PrometheusAnswerInvalid", "something else"),
    "a series that is none": (
        ok({"status": "success", "data": {"result": [{"values": [[1, "2"]]}]}}),
        "PrometheusAnswerInvalid",
        "cannot be read",
    ),
    "no list of series": (
        ok({"status": "success", "data": {"result": None}}),
        "PrometheusAnswerInvalid",
        "cannot be read",
    ),
    "a value that is no number": (
        ok({"status": "success", "data": {"result": [{"metric": {}, "values": [[1, "many"]]}]}}),
        "PrometheusAnswerInvalid",
        "many",
    ),
    "a compressed page": (ok(gzip.compress(b"{}")), "PrometheusAnswerInvalid", "something else"),
    "a part of the answer": (
        ok({**EMPTY, "warnings": ["store gateway is down"]}),
        "PrometheusPartial",
        "store gateway is down",
    ),
    "a part of the answer of a VictoriaMetrics cluster": (
        ok({**EMPTY, "isPartial": True}),
        "PrometheusPartial",
        "not complete",
    ),
    "too many series": (
        ok({"status": "success", "data": {"result": [series()] * (MOST_SERIES + 1)}}),
        "PrometheusAnswerTooLarge",
        f"{MOST_SERIES} series",
    ),
    "too many bytes": (ok(b" " * (MOST_BYTES + 1)), "PrometheusAnswerTooLarge", "24 MiB"),
}


@pytest.mark.parametrize(("answer", "reason", "says"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_what_goes_wrong_has_a_name_and_says_what(
    server: ScriptedApiserver, answer: Answer, reason: str, says: str
) -> None:
    server.answer(RANGE, answer)
    found = await measured(server.url)
    assert found.problem is not None
    assert found.problem.reason == reason
    assert says in found.problem.message
    assert server.url in found.problem.message
    assert not found.moments


async def test_nobody_there_is_unreachable() -> None:
    async with scripted_apiserver() as gone:
        url = gone.url
    found = await measured(url)
    assert found.problem is not None
    assert found.problem.reason == "PrometheusUnreachable"


async def test_a_server_that_is_silent_costs_no_more_than_the_deadline(server: ScriptedApiserver) -> None:
    server.answer(RANGE, (0, {}))
    async with asyncio.timeout(30):
        found = await measured(server.url, deadline=0.2)
    assert found.problem is not None
    assert found.problem.message == f"Prometheus at {server.url}: no answer within 0.2 s"


async def test_a_redirect_is_not_followed_with_the_token(server: ScriptedApiserver, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(SECRET)
    async with elsewhere(server.url) as url:
        found = await measured(url, token_file=str(token))
    assert found.problem is not None
    assert found.problem.reason == "PrometheusAnswerInvalid"
    assert server.asked() == []


@asynccontextmanager
async def elsewhere(target: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that sends everybody to `target`."""

    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": f"{target}{request.path_qs}"})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", redirect)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_token_is_read_anew_for_each_look_and_told_to_nobody(
    server: ScriptedApiserver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = tmp_path / "token"
    asking = measuring(server.url, token_file=str(token))
    server.answer(RANGE, (401, {"error": "who are you"}))
    with caplog.at_level(logging.DEBUG):
        for number, text in enumerate(("first", f"{SECRET}\n")):
            token.write_text(text)
            found = await asking.measure(owner(60 + 10 * number))
    assert [request.headers["Authorization"] for request in server.requests] == ["Bearer first", f"Bearer {SECRET}"]
    assert SECRET not in caplog.text + str(found)


async def test_a_user_is_told_with_its_password(server: ScriptedApiserver, tmp_path: Path) -> None:
    (tmp_path / "username").write_text("plimsoll")
    (tmp_path / "password").write_text("s3cret\n")
    await measured(server.url, username_file=str(tmp_path / "username"), password_file=str(tmp_path / "password"))
    assert {request.headers["Authorization"] for request in server.requests} == {"Basic cGxpbXNvbGw6czNjcmV0"}


@pytest.mark.parametrize("text", [None, "", "two words"], ids=["no file", "an empty file", "two words"])
async def test_a_token_that_cannot_be_one_is_not_sent(
    server: ScriptedApiserver, tmp_path: Path, text: str | None
) -> None:
    token = tmp_path / "token"
    if text is not None:
        token.write_text(text)
    found = await measured(server.url, token_file=str(token))
    assert found.problem is not None
    assert found.problem.reason == "PrometheusRefused"
    assert "token" in found.problem.message
    assert server.asked() == []


async def test_a_certificate_counts_when_the_given_authority_signed_it(
    server: ScriptedApiserver, tmp_path: Path
) -> None:
    issuer, authority = Issuer(), tmp_path / "ca.crt"
    [root] = issuer.trust.get_ca_certs(binary_form=True)
    authority.write_text(ssl.DER_cert_to_PEM_cert(root))
    issued = issuer.issue("127.0.0.1")
    for name, content in issued.files.items():
        (tmp_path / name).write_bytes(content)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    async with elsewhere(server.url, tls) as url:
        trusted, unknown = await measured(url, ca_file=str(authority)), await measured(url)
    # It got as far as the answer, which is a redirect.
    assert trusted.problem is not None
    assert unknown.problem is not None
    assert (trusted.problem.reason, unknown.problem.reason) == ("PrometheusAnswerInvalid", "PrometheusUnreachable")
    assert "CERTIFICATE_VERIFY_FAILED" in unknown.problem.message


async def test_a_missing_authority_is_told_by_its_file(server: ScriptedApiserver) -> None:
    found = await measured(server.url, ca_file="/nowhere/ca.crt")
    assert found.problem is not None
    assert "/nowhere/ca.crt" in found.problem.message


async def test_the_environments_proxies_do_not_count_and_the_given_one_does(
    server: ScriptedApiserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await measured(server.url)).problem is None
    through = await measured("http://prometheus.nowhere.invalid:9090", proxy=server.url)
    assert through.problem is None


async def test_a_moment_is_asked_about_once_though_the_answer_was_an_error(server: ScriptedApiserver) -> None:
    server.answer(RANGE, (503, {}), (503, {}), ok(EMPTY))
    asking = measuring(server.url)
    first = await asking.measure(owner())
    assert await asking.measure(owner()) == first
    assert len(server.requests) == 1
    await asking.measure(owner(70))
    assert len(server.requests) == 2


async def test_a_moment_is_asked_about_once_though_nothing_could_be_judged_yet(server: ScriptedApiserver) -> None:
    server.answer(RANGE, ok({"status": "success", "data": {"result": [series(revision="new")]}}))
    asking = measuring(server.url)
    first, second = await asking.measure(owner()), await asking.measure(owner())
    assert first is not None
    assert first.counters
    assert second == Measurements(first.since)
    assert len(server.requests) == len(SIGNALS) + 1


async def test_objects_are_asked_about_one_at_a_time(server: ScriptedApiserver) -> None:
    """Each of them may bring as much as is read at most, and all of them look up when Prometheus is back."""
    asking = measuring(server.url)
    owners = [replace(owner(), name=f"domains-{number}") for number in range(4)]
    found = await asyncio.gather(*(asking.measure(one) for one in owners))
    assert all(one is not None and one.problem is None for one in found)
    asked = [re.search(r'inference_deployment="([^"]+)"', request.query["query"]) for request in server.requests]
    assert [name for name, _ in groupby(found.group(1) for found in asked if found)] == [one.name for one in owners]


async def test_whose_turn_does_not_come_looks_up_later(server: ScriptedApiserver) -> None:
    server.answer(RANGE, (0, {}))
    asking = measuring(server.url, deadline=0.5)
    owners = [replace(owner(), name=f"domains-{number}") for number in range(3)]
    async with asyncio.timeout(30):
        found = await asyncio.gather(*(asking.measure(one) for one in owners))
    assert None in found
    assert any(one and one.problem for one in found)


async def test_an_object_whose_canary_is_not_compared_costs_nothing(server: ScriptedApiserver) -> None:
    assert await measuring(server.url).measure(make_owner()) is None
    assert server.asked() == []


async def test_without_a_prometheus_the_answer_is_what_to_set() -> None:
    found = await Measuring(None, lambda: NOW, lambda _: None).measure(owner())
    assert found is not None
    assert found.problem is not None
    assert found.problem.reason == "PrometheusNotConfigured"
    assert "prometheus.url" in found.problem.message


async def test_a_path_below_which_the_api_is_may_end_with_a_slash(server: ScriptedApiserver) -> None:
    server.answer("GET /prometheus/api/v1/query_range", ok(EMPTY))
    await measured(f"{server.url}/prometheus/")
    assert set(server.asked()) == {"GET /prometheus/api/v1/query_range"}


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
SERIES = st.fixed_dictionaries({}, optional={"metric": JSON, "values": JSON})


DATA = JSON | st.fixed_dictionaries({"result": JSON | st.lists(SERIES, max_size=3)})


@given(document=JSON | st.fixed_dictionaries({"status": st.just("success"), "data": DATA}))
def test_an_answer_is_read_or_refused_whatever_it_holds(document: Any) -> None:
    with suppress(PrometheusError):
        assert read_answer(200, json.dumps(document).encode(), "yesterday", "Prometheus").answered is None


def test_an_answer_that_is_nested_beyond_reading_is_refused() -> None:
    with pytest.raises(PrometheusError, match="something else"):
        read_answer(200, b"[" * 1_000_000, None, "Prometheus")


async def test_where_sizes_are_too_much_to_tell_latencies_are_asked_for_without_them(server: ScriptedApiserver) -> None:
    """Of a hundred pods and more; otherwise nothing could be judged there."""
    too_many = ok({"status": "success", "data": {"result": [series()] * (MOST_SERIES + 1)}})
    server.answer(RANGE, *[ok(EMPTY)] * 3, too_many, ok(EMPTY))
    found = await measured(server.url)
    queries = [request.query["query"] for request in server.requests]
    assert found.problem is None
    assert "by_size" in queries[-2]
    assert "size" not in queries[-1]
    assert "plimsoll_request_duration_seconds_bucket" in queries[-1]
