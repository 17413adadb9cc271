"""An apiserver with one Lease and operators that stand for it, in virtual time, with all that can go wrong between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from plimsoll_operator.cluster.errors import ConflictError, NotFoundError, UnavailableError
from plimsoll_operator.cluster.kinds import Kind
from plimsoll_operator.election import REQUEST_TIMEOUT, Election, LeaseLostError
from plimsoll_operator.leases import DEADLINE, Tenure
from plimsoll_operator.observed import Manifest
from plimsoll_operator.telemetry import Telemetry

START = datetime(2026, 5, 4, tzinfo=UTC)
BLANK = {"metadata": {"namespace": "system", "name": "plimsoll", "resourceVersion": "1"}}


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with one replica for some seconds."""

    kind: str
    """`refused` before it was sent; `lost` on the way; `unanswered` once it was carried out, or `reset` once it was and
    is a write; `frozen`."""
    replica: int
    begins: float
    lasts: float

    def holds(self, now: float) -> bool:
        return self.begins <= now < self.begins + self.lasts


@dataclass
class Store:
    """The apiserver's one Lease, guarded by its version."""

    lease: dict[str, Any] | None
    troubles: tuple[Trouble, ...] = ()
    _versions: count[int] = field(default_factory=lambda: count(2))

    def write(self, manifest: Manifest) -> Manifest:
        metadata = {**manifest["metadata"], "resourceVersion": str(next(self._versions))}
        self.lease = {**manifest, "metadata": metadata}
        return self.lease

    def delete(self) -> None:
        self.lease = None

    def put_back(self) -> None:
        """As whoever applies the chart's manifests does; over one that is there, as a replacement does."""
        self.write(BLANK)

    def blank_the_holder(self) -> None:
        if self.lease is not None:
            spec = {name: value for name, value in self.lease.get("spec", {}).items() if name != "holderIdentity"}
            self.write({**self.lease, "spec": spec})

    def annotate(self) -> None:
        if self.lease is not None:
            self.write({**self.lease, "metadata": {**self.lease["metadata"], "annotations": {"by": "hand"}}})

    def meets(self, kind: str, replica: int, now: float) -> Trouble | None:
        met = (each for each in self.troubles if each.kind == kind and each.replica == replica and each.holds(now))
        return next(met, None)


@dataclass
class Client:
    """One replica's way to the store: a request takes a moment to get there and a moment for its answer."""

    store: Store
    replica: int = 0

    async def find(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        del kind, namespace, name
        async with _Journey(self):
            return self.store.lease

    async def create(self, kind: Kind, namespace: str, manifest: Manifest) -> Manifest:
        del kind, namespace
        async with _Journey(self, writes=True):
            if self.store.lease is not None:
                raise ConflictError("already exists")
            return self.store.write(manifest)

    async def replace(self, kind: Kind, namespace: str, manifest: Manifest) -> Manifest:
        del kind, namespace
        async with _Journey(self, writes=True):
            if self.store.lease is None:
                raise NotFoundError("not found")
            if self.store.lease["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
                raise ConflictError("modified")
            return self.store.write(manifest)


@dataclass
class _Journey:
    client: Client
    writes: bool = False

    async def __aenter__(self) -> None:
        if self._meets("refused"):
            raise UnavailableError("connection refused")
        if self._meets("lost"):
            await self._no_answer()
        await asyncio.sleep(0.01)

    async def __aexit__(self, *_: object) -> None:
        if self.writes and self._meets("reset"):
            raise UnavailableError("connection reset by peer")
        if self._meets("unanswered"):
            await self._no_answer()
        await asyncio.sleep(0.01)

    def _meets(self, kind: str) -> bool:
        now = asyncio.get_running_loop().time()
        return self.client.store.meets(kind, self.client.replica, now) is not None

    async def _no_answer(self) -> None:
        await asyncio.sleep(REQUEST_TIMEOUT.total_seconds())
        raise UnavailableError("no answer")


class RecordedTenure(Tenure):
    """Remembers from when to when it gave the right to write, to the moment and not by samples."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._noted = clock()
        self.spans: list[tuple[float, float]] = []

    def renewed(self, sent: float) -> None:
        self.note()
        super().renewed(sent)

    def taken_anew(self, sent: float) -> None:
        self.note()
        super().taken_anew(sent)

    def end(self) -> None:
        self.note()
        super().end()

    def note(self) -> None:
        """Book the time since the last note: nothing has changed but the time."""
        since, now = self._noted, self._clock()
        rights = ((-1.0, self._earlier_ends), (self._begins, self._renewed + DEADLINE.total_seconds()))
        booked = [(max(begins, since), min(ends, now)) for begins, ends in rights]
        self.spans += [(begins, ends) for begins, ends in booked if begins < ends]
        self._noted = now


def make_election(store: Store, identity: str = "a", replica: int = 0, idle: bool = False) -> Election:
    clock = asyncio.get_running_loop().time

    async def is_idle() -> bool:
        return idle

    return Election(
        kube=Client(store, replica),
        namespace="system",
        name="plimsoll",
        identity=identity,
        tenure=RecordedTenure(clock),
        clock=clock,
        now=lambda: START + timedelta(seconds=clock()),
        idle=is_idle,
        answered=lambda: None,
        telemetry=Telemetry(),
    )


@dataclass
class Process:
    """A replica that is started again whenever it ends, as the kubelet would; told to end at the times of `stops`."""

    store: Store
    replica: int
    stops: list[float]
    tenures: list[RecordedTenure] = field(default_factory=list)
    starts: int = 0

    async def run(self) -> None:
        await _Freezing(self._keep_alive(), self._thaws)

    async def _keep_alive(self) -> None:
        while True:
            self.starts += 1
            election = make_election(self.store, f"{self.replica}_{self.starts}", self.replica)
            assert isinstance(election.tenure, RecordedTenure)
            self.tenures.append(election.tenure)
            await self._live(election)
            election.tenure.end()
            await asyncio.sleep(1)

    async def _live(self, election: Election) -> None:
        """In one task, so that a freeze holds all of it."""
        now = asyncio.get_running_loop().time()
        until = next((stop - now for stop in self.stops if stop > now), None)
        try:
            async with asyncio.timeout(until):
                await election.run()
        except LeaseLostError:
            return
        except TimeoutError:
            await election.release()

    def _thaws(self) -> float:
        """Seconds until the process goes on."""
        now = asyncio.get_running_loop().time()
        freeze = self.store.meets("frozen", self.replica, now)
        return freeze.begins + freeze.lasts - now if freeze else 0.0


class _Freezing:
    """Has a coroutine go on with nothing, whatever has come for it, as long as `thaws` says."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], thaws: Callable[[], float]) -> None:
        self._coroutine = coroutine
        self._thaws = thaws

    def __await__(self) -> Generator[Any, Any, None]:
        inner = self._coroutine.__await__()
        came: BaseException | None = None
        while True:
            while (frozen := self._thaws()) > 0:
                try:
                    yield from asyncio.sleep(frozen).__await__()
                except asyncio.CancelledError as cancelled:
                    came = cancelled
            try:
                waited_for = inner.throw(came) if came else inner.send(None)
            except StopIteration:
                return
            came = None
            try:
                yield waited_for
            except BaseException as raised:  # noqa: BLE001  what comes for the coroutine is handed on, whatever it is
                came = raised
