"""A thin asynchronous client of the Kubernetes API: JSON in, JSON out.

The official client's typed models cost 100 MiB of memory per process, more than the node agent itself.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

Json = dict[str, Any]
"""An object as the API has it."""

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
# A watch ends by itself after `_WATCH_SECONDS`; silence far beyond means that the other side is gone.
_WATCH_SECONDS = 300
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=_WATCH_SECONDS + 30)

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API refused a request. `reason` is Kubernetes' (NotFound, Conflict, Forbidden …)."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)
"""What a request raises when the apiserver is away."""


class Kube:
    """One user's connection; `tls` verifies an https server. Paths are the API's own, such as /api/v1/nodes/NAME."""

    def __init__(self, server: str, token: str, tls: ssl.SSLContext | None) -> None:
        self._session = aiohttp.ClientSession(
            base_url=server,
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            connector=aiohttp.TCPConnector(ssl=True if tls is None else tls, limit=0),
            timeout=_TIMEOUT,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._session.close()

    async def get(self, path: str, **parameters: str) -> Json:
        return await self._request("GET", path, parameters=parameters)

    async def create(self, path: str, body: Json) -> Json:
        return await self._request("POST", path, body=body)

    async def patch(self, path: str, body: Json, kind: str = MERGE, **parameters: str) -> Json:
        return await self._request("PATCH", path, body=body, content_type=kind, parameters=parameters)

    async def apply(self, path: str, body: Json) -> Json:
        """Server-side apply as the sandbox itself."""
        return await self.patch(path, body, APPLY, fieldManager="plimsoll-sandbox", force="true")

    async def delete(self, path: str, body: Json | None = None) -> Json:
        return await self._request("DELETE", path, body=body)

    async def watch(self, path: str, resource_version: str, **parameters: str) -> AsyncIterator[Json]:
        """Events {type, object} until the server ends the watch. Raises ApiError (410 when the version is too old)."""
        query = {
            **parameters,
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        async with self._session.get(path, params=query, timeout=_WATCH_TIMEOUT) as response:
            if response.status >= 400:
                raise _error(response.status, await response.read())
            async for line in _lines(response.content):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise _error(event["object"].get("code", 500), line, event["object"])
                yield event

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        content_type: str = "application/json",
        parameters: Mapping[str, str] | None = None,
    ) -> Json:
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": content_type}
        async with self._session.request(method, path, data=data, headers=headers, params=parameters) as response:
            content = await response.read()
        if response.status >= 400:
            raise _error(response.status, content)
        answer: Json = json.loads(content)
        return answer


def _error(status: int, content: bytes, answer: Json | None = None) -> ApiError:
    try:
        found = answer or json.loads(content)
        return ApiError(status, found.get("reason", "Unknown"), found.get("message", ""))
    except (ValueError, AttributeError):  # Not every error comes from the API itself: a proxy in between answers text.
        return ApiError(status, "Unknown", content.decode(errors="replace")[:500])


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines of any length; the reader's own `readline` gives up at 64 KiB."""
    rest = b""
    async for chunk in content.iter_any():
        *complete, rest = (rest + chunk).split(b"\n")
        for line in complete:
            yield line
