"""Two operators, one that works: stands for election on a Lease, keeps the Lease renewed, and gives it back at the end.

Whatever goes wrong with a renewal (no answer, a Lease that was deleted, a conflict) is tried again until the right to
write has ended, and ends nothing before.

A Lease that nobody ever held looks like one that was put back while its holder lives. The first look at one takes it at
once only where there is nothing to write yet, as at a first install; otherwise it is waited for as if it were held.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from plimsoll_operator.cluster.errors import ConflictError, KubeError, NotFoundError
from plimsoll_operator.cluster.kinds import LEASE, Kind
from plimsoll_operator.leases import (
    DEADLINE,
    RETRY,
    Signature,
    Tenure,
    Vigil,
    holder,
    new_lease,
    released,
    taken,
    transitions,
)
from plimsoll_operator.observed import Manifest
from plimsoll_operator.telemetry import Telemetry

logger = logging.getLogger(__name__)

REQUEST_TIMEOUT = timedelta(seconds=3)
"""A connection that stalls leaves time for two more attempts before the deadline."""

RELEASE_SECONDS = 1.5
"""For the last write of a process that ends; a Lease that is not released is free 15 s later."""


class LeaseLostError(Exception):
    """The process may write no more and has to end; the message says why."""


class LeaseClient(Protocol):
    """What the election asks of the apiserver; `Kube` does it. Each raises a KubeError."""

    async def find(self, kind: Kind, namespace: str, name: str) -> Manifest | None: ...
    async def create(self, kind: Kind, namespace: str, manifest: Manifest) -> Manifest: ...
    async def replace(self, kind: Kind, namespace: str, manifest: Manifest) -> Manifest: ...


@dataclass
class Election:
    """Stands for election as `identity`. `clock` is monotonic, in seconds; `now` is what is written into the Lease.
    `idle` tells whether there is nothing that a leader would write to.

    `kube` has to be a client of its own: its requests must neither wait for others nor be held back by the tenure.
    """

    kube: LeaseClient
    namespace: str
    name: str
    identity: str
    tenure: Tenure
    clock: Callable[[], float]
    now: Callable[[], datetime]
    idle: Callable[[], Awaitable[bool]]
    answered: Callable[[], None]
    telemetry: Telemetry
    won: asyncio.Event = field(default_factory=asyncio.Event)
    _lease: Manifest = field(default_factory=dict)
    _holder: str = ""
    _trouble: str = ""
    _signature: Signature = field(init=False)

    def __post_init__(self) -> None:
        self._signature = Signature(self.identity)

    async def run(self) -> None:
        """Wait for the Lease, take it, and renew it for as long as that works. Raises LeaseLostError."""
        await self._take_when_free()
        await self._keep()

    # Not holding it

    async def _take_when_free(self) -> None:
        vigil = Vigil(self.identity)
        while not await self._was_taken(vigil):
            # Due already and not won: somebody was faster, or the apiserver did not answer.
            free = vigil.until_free(self.clock()) or RETRY.total_seconds()
            await asyncio.sleep(min(free, RETRY.total_seconds()))

    async def _was_taken(self, vigil: Vigil) -> bool:
        try:
            lease = await self._read()
            self._trouble = ""
            vigil.sees(lease, self.clock())
            if vigil.until_free(self.clock()) > 0 and not (vigil.began_blank and await self.idle()):
                self._tell_who_leads(lease)
                return False
            # Whoever else's it was until now: it is waited for by now.
            known = lease is not None and (holder(lease) != self.identity or self._signature.is_on(lease))
            await self._take(lease, known)
        except KubeError as error:
            self._report("cannot stand for election", error)
            return False
        return True

    def _tell_who_leads(self, lease: Manifest | None) -> None:
        how = "blank" if lease else "missing"
        found = (lease and holder(lease)) or f"nobody: it is {how}, and its last holder may still write for a while"
        if found != self._holder:
            logger.info("standing by: the Lease %s/%s is held by %s", self.namespace, self.name, found)
        self._holder = found

    # Holding it

    async def _keep(self) -> None:
        while self.tenure.remaining > 0:
            if self.tenure.holds and not self.won.is_set():
                logger.info("leading: holds the Lease %s/%s as %s", self.namespace, self.name, self.identity)
                self.won.set()
            attempted = self.clock()
            await self._renew_in_time()
            pause = attempted + RETRY.total_seconds() - self.clock()
            await asyncio.sleep(max(0.0, min(pause, self.tenure.remaining)))
        last = f": {self._trouble}" if self._trouble else ""
        raise LeaseLostError(f"not renewed within {DEADLINE.total_seconds():.0f} s{last}")

    async def _renew_in_time(self) -> None:
        """One attempt, given up when the right to write ends. Raises LeaseLostError when somebody else holds it."""
        try:
            async with asyncio.timeout(self.tenure.remaining):
                await self._renew()
        except TimeoutError:
            self._trouble = self._trouble or "the apiserver did not answer"
        except KubeError as error:
            self._report("cannot renew the Lease", error)

    async def _renew(self) -> None:
        try:
            await self._take(self._lease, known=True)
        except (ConflictError, NotFoundError):
            lease = await self._what_is_there_instead()
            await self._take(lease, known=lease is not None and self._signature.is_on(lease))
        self._trouble = ""

    async def _what_is_there_instead(self) -> Manifest | None:
        """Somebody changed the Lease, or deleted it: it is ours still unless somebody else holds it."""
        lease = await self._read()
        if lease is None:
            logger.warning("the Lease %s/%s is missing: making it anew", self.namespace, self.name)
        elif holder(lease) not in ("", self.identity):
            self.tenure.end()
            raise LeaseLostError(f"{holder(lease)} holds it")
        elif not self._signature.is_on(lease):
            logger.warning("the Lease %s/%s was blanked or put back: taking it anew", self.namespace, self.name)
        return lease

    # At the end

    async def release(self) -> None:
        """Let the others have the Lease at once, where this one holds it and nobody else can have a right left."""
        begun = self.tenure.begun
        self.tenure.end()
        if not begun:
            return
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                lease = await self._read()
                if lease is not None and self._signature.is_on(lease):
                    await self.kube.replace(LEASE, self.namespace, released(lease, self.now()))
                    logger.info("released the Lease %s/%s", self.namespace, self.name)
        except (KubeError, TimeoutError) as error:
            logger.warning("could not release the Lease: %s", str(error) or "no answer")

    # The Lease itself

    async def _read(self) -> Manifest | None:
        lease = await self.kube.find(LEASE, self.namespace, self.name)
        self.answered()
        return lease

    async def _take(self, lease: Manifest | None, known: bool) -> None:
        """Write that this one holds the Lease; its version, or its absence, is the guard. Raises KubeError.

        `known`: that nobody else can have a right, as things are before this.
        """
        wanted = taken(lease or new_lease(self.namespace, self.name), self.identity, self.now())
        if known:
            self._signature.sends(wanted)
        sent = self.clock()
        write = self.kube.create if lease is None else self.kube.replace
        self._lease = await write(LEASE, self.namespace, wanted)
        self._signature.wrote(wanted)
        (self.tenure.renewed if known else self.tenure.taken_anew)(sent)
        self.telemetry.changed_hands(transitions(self._lease))

    def _report(self, what: str, error: KubeError) -> None:
        """Count every failure, and log those that are news."""
        self.telemetry.lease_failed(error.reason)
        if str(error) != self._trouble:
            logger.warning("%s: %s", what, error, extra={"reason": error.reason})
        self._trouble = str(error)


@asynccontextmanager
async def standing(election: Election, ended: Callable[[BaseException | None], None]) -> AsyncIterator[None]:
    """Stand for election while the context lasts, and release the Lease after it.

    `ended` is called with what ended the election should it end by itself; the context raises that, too.
    """
    campaign = asyncio.create_task(election.run(), name="election")
    campaign.add_done_callback(lambda task: None if task.cancelled() else ended(task.exception()))
    try:
        yield
        if campaign.done():
            campaign.result()
    finally:
        campaign.cancel()
        with suppress(asyncio.CancelledError, LeaseLostError):
            await campaign
        await election.release()
