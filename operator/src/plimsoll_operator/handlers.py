"""kopf's part: watching, and nothing else. A change enqueues the key of the object it concerns.

Only `on.event` handlers: the other kinds write finalizers or annotations. No finalizer, annotation or Event is ever
written, or taken away, by kopf here.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from plimsoll_operator.cluster.access import Access, Credentials
from plimsoll_operator.cluster.kinds import CHILDREN, INFERENCE_DEPLOYMENT, POD, Kind
from plimsoll_operator.cluster.observe import Key
from plimsoll_operator.names import LABEL_NAME
from plimsoll_operator.news import News
from plimsoll_operator.supervision import Shutdown, either

logger = logging.getLogger(__name__)

Enqueue = Callable[[Key], None]

IDENTITY: Any = "plimsoll-operator"
"""For kopf's peering, which is off."""

STREAM_SECONDS = 30
"""Length of one watch request; the next one goes on where it ended. Its connection is given up a little later, should
the server not end it: that is how a connection that has gone silent is found out, well within a minute."""

CREDENTIALS_LIFETIME = timedelta(minutes=30)
"""After which kopf logs in anew: the kubelet replaces a pod's token well before it expires in an hour."""

REFUSED_WITHIN = timedelta(minutes=1)
"""Credentials asked for again so soon were refused; the next ones are given out ever more slowly."""


@dataclass(frozen=True)
class EndlessBackoff:
    """Delays between attempts: doubling to `cap` seconds, jittered, never ending.

    kopf iterates over the same object for every request, so this is an iterable and not an iterator.
    """

    base: float = 1.0
    cap: float = 30.0
    failed: Callable[[], None] = lambda: None
    """Called when an attempt has failed and another begins."""

    def __iter__(self) -> Iterator[float]:
        longest = self.base
        while True:
            yield longest * random.uniform(0.5, 1.0)  # noqa: S311  jitter is no secret
            self.failed()
            longest = min(self.cap, longest * 2)


@dataclass(frozen=True)
class Watches:
    """kopf's watches of `namespace`, or of all when it is empty."""

    access: Access
    namespace: str
    request_timeout: timedelta
    enqueue: Enqueue
    missed: Callable[[], None]
    """Called when a watch was away: a child that was deleted meanwhile is in no event after it."""

    async def run(self, served: asyncio.Event, shutdown: Shutdown) -> None:
        """Watch from when the kind is `served` until shutdown. What happens before that the resync has seen."""
        await either(served, shutdown.stop)
        if shutdown.stop.is_set():
            return
        before = asyncio.all_tasks()
        tasks = await kopf.spawn_tasks(
            registry=watch_registry(self.enqueue, self.access),
            settings=watch_settings(self.request_timeout, self.missed),
            clusterwide=not self.namespace,
            namespaces=[self.namespace] if self.namespace else [],
            # Or kopf asks for the user's name, and a user of a container has none.
            identity=IDENTITY,
            stop_flag=shutdown.stop,
        )
        # kopf has just taken the signals for itself.
        shutdown.heed_signals()
        await kopf.run_tasks(tasks, ignored=before)


def watch_registry(enqueue: Enqueue, access: Access) -> kopf.OperatorRegistry:
    """Handlers for the InferenceDeployment and for the children and pods that carry its label."""
    registry = kopf.OperatorRegistry()

    kopf.on.login(id="login", registry=registry)(LogIn(access, time.monotonic, asyncio.sleep).__call__)

    owners = News(INFERENCE_DEPLOYMENT)

    @kopf.on.event(*_address(INFERENCE_DEPLOYMENT), registry=registry)
    async def owner_changed(event: kopf.RawEvent, meta: kopf.Meta, **_: Any) -> None:
        if owners.tells(event):
            enqueue(Key(meta["namespace"], meta["name"]))

    for kind in (*CHILDREN, POD):
        wakes = _child_changed(News(kind), enqueue)
        kopf.on.event(*_address(kind), labels={LABEL_NAME: kopf.PRESENT}, registry=registry)(wakes)
    return registry


def _child_changed(news: News, enqueue: Enqueue) -> Callable[..., Awaitable[None]]:
    async def child_changed(event: kopf.RawEvent, meta: kopf.Meta, labels: kopf.Labels, **_: Any) -> None:
        if news.tells(event):
            enqueue(Key(meta["namespace"], labels[LABEL_NAME]))

    return child_changed


def watch_settings(request_timeout: timedelta, missed: Callable[[], None] = lambda: None) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    # The resync has seen the kind before the watches start, so nothing has to be discovered: no right to list
    # namespaces or CRDs is needed, the want of which would be retried for ever.
    settings.scanning.disabled = True
    settings.networking.request_timeout = request_timeout.total_seconds()
    settings.networking.error_backoffs = EndlessBackoff(failed=missed)
    settings.watching.server_timeout = STREAM_SECONDS
    settings.watching.client_timeout = STREAM_SECONDS + 10
    settings.watching.connect_timeout = request_timeout.total_seconds()
    for kind in (*CHILDREN, POD):
        settings.watching.label_selectors[_address(kind)] = LABEL_NAME
    # kopf removes its finalizer from whatever it watches, and asks no fence: anybody who can set a finalizer could have
    # it write. No object can bear this name, since the apiserver admits none with a space in it.
    settings.persistence.finalizer = "no finalizer"
    return settings


class LogIn:
    """Gives kopf the same way to the apiserver that the operator's own client takes.

    kopf takes equal credentials that were refused once for refused for good, and ends. An apiserver that has just
    started refuses good ones for a moment, so each time they are given out as new: at once, or after a pause when
    the last ones did not live long.
    """

    def __init__(self, access: Access, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._access = access
        self._clock = clock
        self._sleep = sleep
        self._given = -math.inf
        self._pauses = iter(EndlessBackoff())

    async def __call__(self, **_: Any) -> kopf.ConnectionInfo:
        if self._clock() - self._given < REFUSED_WITHIN.total_seconds():
            pause = next(self._pauses)
            logger.warning("the apiserver refused the credentials; reading them again in %.1f s", pause)
            await self._sleep(pause)
        else:
            self._pauses = iter(EndlessBackoff())
        self._given = self._clock()
        return connection_info(await self._access.credentials(), datetime.now(UTC) + CREDENTIALS_LIFETIME)


def connection_info(credentials: Credentials, expiration: datetime) -> kopf.ConnectionInfo:
    scheme, _, token = (credentials.authorization or "").partition(" ")
    return kopf.ConnectionInfo(
        server=credentials.server,
        ca_path=credentials.ca_file,
        insecure=not credentials.verify_tls,
        scheme=scheme or None,
        token=token.strip() or None,
        certificate_path=credentials.certificate_file,
        private_key_path=credentials.key_file,
        proxy_url=credentials.proxy,
        expiration=expiration,
    )


def _address(kind: Kind) -> tuple[str, str, str]:
    return kind.group, kind.version, kind.plural
