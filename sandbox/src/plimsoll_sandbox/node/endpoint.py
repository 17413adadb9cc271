"""What the apiserver asks a kubelet for: the logs of containers. Only the apiserver, by its certificate, is heard."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from plimsoll_sandbox.certificates import KeyPair
from plimsoll_sandbox.node.log_reader import LogQuery, read_log


@dataclass(frozen=True)
class LogSource:
    """One attempt's log file, and whether more may come."""

    file: Path
    is_running: Callable[[], bool]


class NoLogError(Exception):
    """There is no such log; the message is what kubectl prints."""


FindLog = Callable[[str, str, str, bool], LogSource]
"""(namespace, pod, container, previous) → its log. Raises NoLogError."""


async def serve(find_log: FindLog, addresses: list[str], port: int, tls: ssl.SSLContext) -> web.AppRunner:
    """Listen on every node's address until the runner is cleaned up."""
    app = web.Application()
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", _logs_handler(find_log))
    app.router.add_get("/healthz", _healthy)
    app.router.add_route("*", "/{rest:.*}", _refuse)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    for address in addresses:
        await web.TCPSite(runner, address, port, ssl_context=tls).start()
    return runner


def serving_context(serving: KeyPair, authority: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(serving.certificate, serving.key)
    return context


def _logs_handler(find_log: FindLog) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def logs(request: web.Request) -> web.StreamResponse:
        try:
            previous = request.query.get("previous") == "true"
            source = find_log(
                request.match_info["namespace"], request.match_info["pod"], request.match_info["container"], previous
            )
            query = _parse_query(request.query)
        except NoLogError as error:
            return web.Response(status=400, text=str(error))
        except ValueError as error:
            return web.Response(status=400, text=f"the log query cannot be read: {error}")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        async for text in read_log(source.file, query, source.is_running):
            await response.write(text)
        return response

    return logs


def _parse_query(query: Mapping[str, str]) -> LogQuery:
    since = None
    if "sinceTime" in query:
        since = datetime.datetime.fromisoformat(query["sinceTime"])
    elif "sinceSeconds" in query:
        since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=int(query["sinceSeconds"]))
    return LogQuery(
        follow=query.get("follow") == "true",
        timestamps=query.get("timestamps") == "true",
        tail_lines=int(query["tailLines"]) if "tailLines" in query else None,
        limit_bytes=int(query["limitBytes"]) if "limitBytes" in query else None,
        since=since,
    )


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _refuse(request: web.Request) -> web.Response:
    asked = request.path.strip("/").partition("/")[0]
    return web.Response(status=501, text=f"a sandbox's nodes only serve logs; {asked} is not available")
