"""Following a collection through outages and forgotten versions, against a server that does just that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from plimsoll_sandbox.kube import ApiError, Kube
from plimsoll_sandbox.node.watching import Change, Follower, Listed

PODS = "/api/v1/pods"


def make_object(uid: str, version: int, **fields: str) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": str(version), **fields}}


@dataclass
class Script:
    """An apiserver for one collection: answers to lists, and what each watch says before it ends."""

    lists: list[list[dict[str, Any]]]
    watches: list[Any]
    asked: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        if "watch" in request.query:
            return await self._watch(request)
        items = self.lists.pop(0)
        return web.json_response({"metadata": {"resourceVersion": "100"}, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        script = self.watches.pop(0) if self.watches else []
        if isinstance(script, int):
            return web.json_response({"reason": "Expired", "message": "too old", "code": script}, status=script)
        response = web.StreamResponse()
        await response.prepare(request)
        for event in script:
            await response.write(json.dumps(event).encode() + b"\n")
        if not self.watches:
            await asyncio.sleep(5)
        return response


Serve = Callable[[Script], Any]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[TestServer] = []

    async def start(script: Script) -> Kube:
        app = web.Application()
        app.router.add_get(PODS, script.answer)
        server = TestServer(app, shutdown_timeout=0)
        servers.append(server)
        await server.start_server()
        return Kube(str(server.make_url("")), "token", None)

    yield start
    for server in servers:
        await server.close()


async def take(kube: Kube, count: int) -> list[str]:
    """The next changes in short."""
    found: list[str] = []
    async with kube, asyncio.timeout(10):
        async for change in Follower(kube, PODS).changes():
            match change:
                case Change(item, gone):
                    found.append(f"{'-' if gone else '+'}{item['metadata']['uid']}")
                case Listed():
                    found.append("listed")
            if len(found) == count:
                break
    return found


def event(kind: str, uid: str, version: int, **fields: str) -> dict[str, Any]:
    return {"type": kind, "object": make_object(uid, version, **fields)}


async def test_everything_is_listed_and_then_watched(serve: Serve) -> None:
    script = Script([[make_object("a", 1)]], [[event("ADDED", "b", 101), event("DELETED", "a", 102)]])
    assert await take(await serve(script), 4) == ["+a", "listed", "+b", "-a"]
    assert script.asked[1]["resourceVersion"] == "100"


async def test_a_watch_that_ends_goes_on_where_it_was(serve: Serve) -> None:
    script = Script([[]], [[event("ADDED", "a", 101), event("BOOKMARK", "", 150)], [event("ADDED", "b", 151)]])
    assert await take(await serve(script), 3) == ["listed", "+a", "+b"]
    assert script.asked[2]["resourceVersion"] == "150"


@pytest.mark.parametrize(
    "forgotten",
    [410, [{"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}]],
    ids=["refused", "in the stream"],
)
async def test_a_forgotten_version_means_a_new_list(serve: Serve, forgotten: Any) -> None:
    script = Script([[make_object("a", 1), make_object("b", 2)], [make_object("b", 3)]], [forgotten, []])
    assert await take(await serve(script), 6) == ["+a", "+b", "listed", "-a", "+b", "listed"]


async def test_objects_larger_than_any_buffer_arrive_whole(serve: Serve) -> None:
    script = Script([[]], [[event("ADDED", "large", 101, note="x" * 1_000_000)]])
    assert await take(await serve(script), 2) == ["listed", "+large"]


async def test_a_server_that_is_away_is_waited_for(serve: Serve, unused_tcp_port: int) -> None:
    away = Kube(f"http://127.0.0.1:{unused_tcp_port}", "token", None)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await take(away, 1)


async def test_a_refusal_tells_status_reason_and_message(serve: Serve) -> None:
    kube = await serve(Script([], [403]))
    async with kube:
        with pytest.raises(ApiError, match="403 Expired: too old") as caught:
            await anext(kube.watch(PODS, "1"))
    assert (caught.value.status, caught.value.reason) == (403, "Expired")
