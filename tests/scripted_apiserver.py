"""An HTTP server that answers as told and remembers what it was asked: for a client tested by its requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from aiohttp import web


class Request(NamedTuple):
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


Answer = tuple[int, Any]
"""HTTP status and body: JSON, or bytes to be sent as they are. Status 0 is no answer at all."""


@dataclass
class ScriptedApiserver:
    """Answers `{}` to everything that is not scripted."""

    requests: list[Request] = field(default_factory=list)
    url: str = ""
    _script: dict[str, list[Answer]] = field(default_factory=dict)

    def answer(self, line: str, *answers: Answer) -> None:
        """From now on answer `line` (`METHOD /path`) with these in turn, and with the last one for ever."""
        self._script[line] = list(answers)

    def asked(self) -> list[str]:
        """The requests so far, as `METHOD /path`."""
        return [f"{request.method} {request.path}" for request in self.requests]

    async def handle(self, request: web.Request) -> web.Response:
        text = await request.text()
        body = json.loads(text) if text else None
        self.requests.append(Request(request.method, request.path, dict(request.query), dict(request.headers), body))
        answers = self._script.get(f"{request.method} {request.path}", [ok({})])
        status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if status == 0:
            # Longer than any client waits here.
            await asyncio.sleep(60)
        if isinstance(answer, bytes):
            return web.Response(status=status, body=answer)
        return web.json_response(answer, status=status)

    def write_kubeconfig(self, path: Path, token: str = "first") -> None:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        path.write_text(yaml.safe_dump(config))


@asynccontextmanager
async def scripted_apiserver() -> AsyncIterator[ScriptedApiserver]:
    """Serve on a free port while the context lasts."""
    server = ScriptedApiserver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def ok(body: Any) -> Answer:
    return 200, body


def refusal(status: int, reason: str, message: str, causes: list[dict[str, str]] | None = None) -> Answer:
    """The `Status` object with which an apiserver refuses a request."""
    status_object = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": status}
    return status, status_object | ({"details": {"causes": causes}} if causes else {})
