"""Following a collection of the API: every object as it is now, and as it changes, through any outage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from plimsoll_sandbox.kube import UNREACHABLE, ApiError, Json, Kube

_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """`gone`: the object was deleted, as it last was."""

    object: Json
    gone: bool = False


@dataclass(frozen=True)
class Listed:
    """Everything there is has been told since the last of these."""


class Follower:
    """Lists, then watches; lists again when the watch's version is too old (410) or the apiserver was away."""

    def __init__(self, kube: Kube, path: str, **parameters: str) -> None:
        self._kube = kube
        self._path = path
        self._parameters = parameters
        self._known: dict[str, Json] = {}
        self._version: str | None = None

    async def changes(self) -> AsyncIterator[Change | Listed]:
        """Never ends."""
        delay = _FIRST_DELAY_SECONDS
        while True:
            try:
                if self._version is None:
                    for change in await self._list():
                        yield change
                    yield Listed()
                async for change in self._watch(self._version or "0"):
                    yield change
                delay = _FIRST_DELAY_SECONDS
            except ApiError as error:
                self._version = None
                if error.status != 410:
                    log.warning("watching %s: %s", self._path, error)
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, _LONGEST_DELAY_SECONDS)
            except UNREACHABLE as error:
                log.warning("watching %s: %s", self._path, error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_DELAY_SECONDS)

    async def _list(self) -> list[Change]:
        answer = await self._kube.get(self._path, **self._parameters)
        found = {item["metadata"]["uid"]: item for item in answer["items"]}
        gone = [Change(item, gone=True) for uid, item in self._known.items() if uid not in found]
        self._known = found
        self._version = answer["metadata"]["resourceVersion"]
        return [*gone, *map(Change, found.values())]

    async def _watch(self, version: str) -> AsyncIterator[Change]:
        async for event in self._kube.watch(self._path, version, **self._parameters):
            item = event["object"]
            self._version = item["metadata"]["resourceVersion"]
            if event["type"] == "BOOKMARK":
                continue
            uid = item["metadata"]["uid"]
            if event["type"] == "DELETED":
                self._known.pop(uid, None)
                yield Change(item, gone=True)
            else:
                self._known[uid] = item
                yield Change(item)
