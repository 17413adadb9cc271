"""Stands between operators and the apiserver, counts what each of them writes, and ends one at the write it is told.

Every operator has an address of its own here. What it sends is passed on as the cluster's administrator: rights have
tests of their own.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import aiohttp
import yaml
from aiohttp import web

WRITES = {"POST", "PUT", "PATCH", "DELETE"}
HOP_BY_HOP = {"host", "authorization", "connection", "content-length", "transfer-encoding"}
START_SECONDS = 60

Moment = Literal["before", "after"]
"""Of the write's arrival at the apiserver. After it, and before the operator hears of it."""


@dataclass(frozen=True)
class KillPoint:
    """The `number`th write from now on, counted from 1. `meanwhile` happens when it has come as far as the proxy."""

    number: int
    moment: Moment
    kill: Callable[[], None]
    meanwhile: Callable[[], None] = lambda: None


@dataclass
class Line:
    """One operator's way to the apiserver."""

    address: str = ""
    writes: list[str] = field(default_factory=list)
    """Since the last `arm`, without those of Leases: method and path of each."""
    lists: int = 0
    """Lists of InferenceDeployments since then: how often the operator has looked at all of its objects."""
    killed: threading.Event = field(default_factory=threading.Event)
    _point: KillPoint | None = None

    def arm(self, point: KillPoint | None) -> None:
        """Count anew, and end the operator at `point`."""
        self.writes, self.lists, self._point = [], 0, point
        self.killed.clear()

    def note(self, request: web.Request) -> KillPoint | None:
        """Count a request. The point that it has reached, if any."""
        listing = request.method == "GET" and "watch" not in request.query
        self.lists += listing and request.path.endswith("/inferencedeployments")
        if request.method not in WRITES or "/leases" in request.path:
            return None
        self.writes.append(f"{request.method} {request.path}")
        return self._point if self._point and len(self.writes) == self._point.number else None


@dataclass(frozen=True)
class CountingProxy:
    """Runs in a thread of its own until the end of `counting_proxy`."""

    _upstream: aiohttp.ClientSession
    _server: str
    _loop: asyncio.AbstractEventLoop
    _runners: list[web.AppRunner] = field(default_factory=list)

    def open_line(self) -> Line:
        return asyncio.run_coroutine_threadsafe(self._open_line(), self._loop).result(START_SECONDS)

    async def _open_line(self) -> Line:
        line = Line()

        async def handle(request: web.Request) -> web.StreamResponse:
            # An operator that ends by itself takes back its request, but a kill point that was reached counts.
            passing = asyncio.ensure_future(self._pass_on(line, request))
            return await (asyncio.shield(passing) if request.method in WRITES else passing)

        application = web.Application(client_max_size=16 << 20)
        application.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        line.address = "http://{}:{}".format(*runner.addresses[0][:2])
        return line

    async def close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def _pass_on(self, line: Line, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        point = line.note(request)
        if point is not None:
            await asyncio.to_thread(point.meanwhile)
            if point.moment == "before":
                return _end(line, point, request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        url = f"{self._server}{request.raw_path}"
        async with self._upstream.request(request.method, url, data=body or None, headers=headers) as answer:
            if point is not None:
                await answer.read()
                return _end(line, point, request)
            return await _relay(answer, request)


def _end(line: Line, point: KillPoint, request: web.Request) -> web.Response:
    """Kill the operator; nobody is left to answer."""
    point.kill()
    line.killed.set()
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _relay(answer: aiohttp.ClientResponse, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    with suppress(ConnectionResetError):  # The operator was killed, or has ended its watch.
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    return response


@contextmanager
def counting_proxy(kubeconfig: Path) -> Iterator[CountingProxy]:
    """A proxy in front of the kubeconfig's cluster, with its user's token."""
    content: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    started: Future[CountingProxy] = Future()
    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(content, started, stop)))
    thread.start()
    try:
        yield started.result(START_SECONDS)
    finally:
        stop.set()
        thread.join(START_SECONDS)


async def _serve(content: dict[str, Any], started: Future[CountingProxy], stop: threading.Event) -> None:
    async with _upstream(content) as (session, server):
        proxy = CountingProxy(session, server, asyncio.get_running_loop())
        started.set_result(proxy)
        await asyncio.to_thread(stop.wait)
        await proxy.close()


@asynccontextmanager
async def _upstream(content: dict[str, Any]) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=cluster["certificate-authority"]), limit=0)
    timeout = aiohttp.ClientTimeout(total=None, connect=10)
    headers = {"Authorization": f"Bearer {user['token']}"}
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
        yield session, cluster["server"]
