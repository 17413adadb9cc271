"""A small asynchronous client: objects as plain JSON, typed errors, a deadline on every request.

It sits on `kubernetes.aio`'s transport and on none of its generated models: the first typed API costs 100 MiB.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from kubernetes.aio.client.api_client import ApiClient

from plimsoll_operator.cluster.access import Access, AccessError
from plimsoll_operator.cluster.errors import KubeError, NotFoundError, UnauthorizedError, UnavailableError, error_of
from plimsoll_operator.cluster.kinds import DEPLOYMENT, Kind, kind_of
from plimsoll_operator.names import FIELD_MANAGER
from plimsoll_operator.observed import Manifest

PAGE = 500
"""Objects per page of a list: what kubectl asks for."""
MAX_PAGES = 1000

_JSON = "application/json"
_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"

CountWrite = Callable[[str, str], None]

Fence = Callable[[], None]
"""Raises a KubeError when this process may send nothing (more)."""


def open_fence() -> None:
    """For clients that are bound to no election."""


class Kube:
    """The apiserver. Every method raises a `KubeError`.

    `fence` is asked when a request's connection stands and its first byte is about to be written, so that no time can
    pass between: not for a connection to be made, and not for a request that is sent again on another one. It is asked
    for reads too, since what a process reads that may not write serves nobody.
    """

    def __init__(
        self,
        access: Access,
        timeout: timedelta,
        count_write: CountWrite,
        fence: Fence = open_fence,
        *,
        manager: str = FIELD_MANAGER,
    ) -> None:
        self._access = access
        self._manager = manager
        self._timeout = aiohttp.ClientTimeout(total=timeout.total_seconds())
        self._count_write = count_write
        self._request_class = fenced_request(fence)
        self._client: ApiClient | None = None
        self._connecting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._disconnect(self._client)

    # Reading

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest:
        return await self._request("GET", kind.path(namespace, name))

    async def find(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Like `get`, with None for what is not there."""
        try:
            return await self.get(kind, namespace, name)
        except NotFoundError:
            return None

    async def list_all(self, kind: Kind, namespace: str = "", *, labels: str = "") -> list[Manifest]:
        """All objects of a kind, page by page; of every namespace when none is named."""
        selector = {"labelSelector": labels} if labels else {}
        items: list[Manifest] = []
        following = ""
        for _ in range(MAX_PAGES):
            paging = {"limit": str(PAGE)} | ({"continue": following} if following else {})
            page = await self._request("GET", kind.path(namespace), query=selector | paging)
            # The items of a list do not say what they are.
            items += [{"apiVersion": kind.api_version, "kind": kind.kind} | item for item in page["items"]]
            following = page["metadata"].get("continue", "")
            if not following:
                return items
        raise UnavailableError(f"list of {kind.plural}: more than {MAX_PAGES * PAGE} objects")

    async def has_any(self, kind: Kind, namespace: str = "") -> bool:
        """Whether there is an object of a kind, anywhere when no namespace is named; none where it is not served."""
        try:
            page = await self._request("GET", kind.path(namespace), query={"limit": "1"})
        except NotFoundError:
            return False
        return bool(page["items"])

    async def read(self, path: str) -> dict[str, Any]:
        """What the apiserver tells of itself at `path`."""
        return await self._request("GET", path)

    async def discovers(self, kind: Kind) -> bool:
        """Whether the apiserver lists the kind among what it serves, which it does a moment after it serves it."""
        groups = await self.read("/apis")
        if kind.group not in {group["name"] for group in groups["groups"]}:
            return False
        resources = await self.read(f"/apis/{kind.api_version}")
        return kind.plural in {resource["name"] for resource in resources["resources"]}

    # Writing

    async def apply(self, manifest: Manifest, namespace: str) -> None:
        """Server-side apply: creates the object, or makes it hold what the manifest states."""
        await self._apply(manifest, namespace, "")

    async def apply_status(self, manifest: Manifest, namespace: str) -> None:
        await self._apply(manifest, namespace, "status")

    async def _apply(self, manifest: Manifest, namespace: str, subresource: str) -> None:
        kind = kind_of(manifest["apiVersion"], manifest["kind"])
        path = kind.path(namespace, manifest["metadata"]["name"], subresource)
        query = {"fieldManager": self._manager, "force": "true"}
        await self._request("PATCH", path, query=query, body=manifest, content_type=_APPLY)
        self._count_write(kind.kind, "apply_status" if subresource else "apply")

    async def scale(self, namespace: str, deployment: str, uid: str, replicas: int) -> None:
        """Scale the very Deployment with `uid`. ConflictError for another one."""
        path = DEPLOYMENT.path(namespace, deployment, "scale")
        await self.merge(path, {"metadata": {"uid": uid}, "spec": {"replicas": replicas}})
        self._count_write(DEPLOYMENT.kind, "scale")

    async def create(self, kind: Kind, namespace: str, manifest: Manifest) -> Manifest:
        """The object as it was stored. Raises ConflictError when an object of that name is there."""
        stored = await self._request("POST", kind.path(namespace), query={"fieldManager": self._manager}, body=manifest)
        self._count_write(kind.kind, "create")
        return stored

    async def replace(self, kind: Kind, namespace: str, manifest: Manifest) -> Manifest:
        """The object as it was stored. Raises ConflictError when it is not of the manifest's `resourceVersion`."""
        path = kind.path(namespace, manifest["metadata"]["name"])
        stored = await self._request("PUT", path, query={"fieldManager": self._manager}, body=manifest)
        self._count_write(kind.kind, "update")
        return stored

    async def rehearse(self, kind: Kind, namespace: str, manifest: Manifest) -> None:
        """Go through everything that creating the object would, admission included, and store nothing."""
        query = {"fieldManager": self._manager, "dryRun": "All"}
        await self._request("POST", kind.path(namespace), query=query, body=manifest)

    async def update(self, kind: Kind, namespace: str, name: str, patch: Manifest) -> None:
        """Merge `patch` into an object. A `metadata.resourceVersion` in it is a fence: ConflictError when stale."""
        await self.merge(kind.path(namespace, name), patch)
        self._count_write(kind.kind, "patch")

    async def merge(self, path: str, patch: Manifest) -> None:
        await self._request("PATCH", path, query={"fieldManager": self._manager}, body=patch, content_type=_MERGE)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete the very object with `uid`, and in the background what it owns. ConflictError for another one."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        await self._request("DELETE", kind.path(namespace, name), body=options)
        self._count_write(kind.kind, "delete")

    # Transport

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = _JSON,
    ) -> dict[str, Any]:
        client = await self._connected()
        try:
            return await self._send(client, method, path, query or {}, body, content_type)
        except UnauthorizedError:
            # Tokens of kubeconfigs and exec plugins expire unannounced: read them once more before giving up.
            await self._disconnect(client)
            return await self._send(await self._connected(), method, path, query or {}, body, content_type)

    async def _send(
        self,
        client: ApiClient,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Manifest | None,
        content_type: str,
    ) -> dict[str, Any]:
        what = f"{method} {path}"
        try:
            request = await client.param_serialize(
                method,
                path,
                query_params=list(query.items()),
                header_params={"Accept": _JSON, "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            response = await client.call_api(*request, _request_timeout=self._timeout)
            answer = await response.read()  # type: ignore[no-untyped-call]
        except TimeoutError as error:
            raise UnavailableError(f"{what}: no answer within {self._timeout.total:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnavailableError(f"{what}: {str(error) or type(error).__name__}") from error
        if not 200 <= response.status < 300:
            raise error_of(response.status, answer, what)
        try:
            parsed: dict[str, Any] = json.loads(answer)
        except ValueError as error:
            # As the apiserver answers for the schema of a kind that has just been taken away.
            raise UnavailableError(f"{what}: HTTP {response.status} with something that is not JSON") from error
        return parsed

    async def _connected(self) -> ApiClient:
        async with self._connecting:
            if self._client is None:
                try:
                    configuration = await self._access.configuration(self._request_class)
                except AccessError as error:
                    raise UnavailableError(str(error)) from error
                self._client = ApiClient(configuration)
                self._client.user_agent = self._manager
            return self._client

    async def _disconnect(self, client: ApiClient) -> None:
        """Drop `client`, unless another request has done so already."""
        if self._client is client:
            self._client = None
            await client.close()  # type: ignore[no-untyped-call]


def fenced_request(fence: Fence) -> type[aiohttp.ClientRequest]:
    """aiohttp's request, with `fence` asked each time that it is about to be written to a connection."""

    class FencedRequest(aiohttp.ClientRequest):
        async def send(self, conn: Connection) -> aiohttp.ClientResponse:
            fence()
            return await super().send(conn)

        async def write_bytes(
            self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
        ) -> None:
            # With a body nothing is written before this, which may be a turn of the event loop after `send`.
            try:
                fence()
            except KubeError as error:
                if conn.protocol is not None:
                    conn.protocol.set_exception(error)
                conn.close()
                return
            await super().write_bytes(writer, conn, content_length)

    return FencedRequest
