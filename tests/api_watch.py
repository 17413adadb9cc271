"""A watch, as short ones in a row: it ends soon after it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from api_client import Api, Object
from plimsoll_operator.cluster.kinds import Kind

WINDOW_SECONDS = 3
"""Length of one watch: the longest time until it ends when it is told to."""


@contextmanager
def watching(
    api: Api, kind: Kind, which: dict[str, str], begin: Callable[[list[Object]], None], see: Callable[[Object], None]
) -> Iterator[None]:
    """Until the block ends: `begin` gets what there is, then `see` each event, from a thread.

    `which` is a query such as a labelSelector.
    """
    found = api.ask("GET", kind.path(api.namespace), which)
    begin(found["items"])
    stop = threading.Event()
    version = found["metadata"]["resourceVersion"]
    thread = threading.Thread(target=_follow, args=(api, kind, which, version, see, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10 * WINDOW_SECONDS)


def _follow(
    api: Api, kind: Kind, which: dict[str, str], version: str, see: Callable[[Object], None], stop: threading.Event
) -> None:
    while not stop.is_set():
        for event in _events(api, kind, which, version):
            version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                see(event)


def _events(api: Api, kind: Kind, which: dict[str, str], version: str) -> Iterator[dict[str, Any]]:
    query = {
        "watch": "true",
        "resourceVersion": version,
        "timeoutSeconds": str(WINDOW_SECONDS),
        "allowWatchBookmarks": "true",
        **which,
    }
    with api.client.stream("GET", kind.path(api.namespace), params=query) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            event: dict[str, Any] = json.loads(line)
            assert event["type"] != "ERROR", event
            yield event
