"""The election in virtual time: whatever the apiserver does, never two may write, and in the end one does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll_operator.cluster.errors import ConflictError, NotFoundError, UnavailableError
from plimsoll_operator.cluster.kinds import Kind
from plimsoll_operator.election import REQUEST_TIMEOUT, Election, LeaseLostError, standing
from plimsoll_operator.leases import Tenure, holder
from plimsoll_operator.observed import Manifest
from plimsoll_operator.telemetry import Telemetry
from virtual_time import run_in_virtual_time

NOW = datetime(2026, 5, 4, tzinfo=UTC)
REPLICAS = 2
BLANK = {"metadata": {"namespace": "system", "name": "plimsoll", "resourceVersion": "1"}}


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with one replica's requests for some seconds; `deleted` happens once, to the Lease itself."""

    kind: str
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
    _version: int = 1

    def write(self, manifest: Manifest) -> Manifest:
        self._version += 1
        metadata = {**manifest["metadata"], "resourceVersion": str(self._version)}
        self.lease = {**manifest, "metadata": metadata}
        return self.lease

    def delete(self) -> None:
        self.lease = None


@dataclass
class Client:
    """One replica's way to the store: a request takes a moment to get there and a moment for its answer."""

    store: Store
    replica: int = 0

    async def find(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        del kind, namespace, name
        async with self._travelling():
            return self.store.lease

    async def create(self, kind: Kind, namespace: str, manifest: Manifest) -> Manifest:
        del kind, namespace
        async with self._travelling():
            if self.store.lease is not None:
                raise ConflictError("already exists")
            return self.store.write(manifest)

    async def replace(self, kind: Kind, namespace: str, manifest: Manifest) -> Manifest:
        del kind, namespace
        async with self._travelling():
            if self.store.lease is None:
                raise NotFoundError("not found")
            if self.store.lease["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
                raise ConflictError("modified")
            return self.store.write(manifest)

    def _travelling(self) -> _Journey:
        return _Journey(self)


@dataclass
class _Journey:
    client: Client

    async def __aenter__(self) -> None:
        if self._meets("refused"):
            raise UnavailableError("connection refused")
        if self._meets("lost"):
            await self._no_answer()
        await asyncio.sleep(0.01)

    async def __aexit__(self, *_: object) -> None:
        if self._meets("unanswered"):
            await self._no_answer()
        await asyncio.sleep(0.01)

    def _meets(self, kind: str) -> bool:
        now = asyncio.get_running_loop().time()
        return any(
            trouble.kind == kind and trouble.replica == self.client.replica and trouble.holds(now)
            for trouble in self.client.store.troubles
        )

    async def _no_answer(self) -> None:
        await asyncio.sleep(REQUEST_TIMEOUT.total_seconds())
        raise UnavailableError("no answer")


def make_election(store: Store, identity: str = "a", replica: int = 0) -> Election:
    clock = asyncio.get_running_loop().time
    return Election(
        kube=Client(store, replica),
        namespace="system",
        name="plimsoll",
        identity=identity,
        tenure=Tenure(clock),
        clock=clock,
        now=lambda: NOW,
        answered=lambda: None,
        telemetry=Telemetry(),
    )


@contextmanager
def running(election: Election) -> Iterator[asyncio.Task[None]]:
    task = asyncio.create_task(election.run())
    try:
        yield task
    finally:
        task.cancel()


def test_a_lease_that_nobody_holds_is_taken_at_once_and_kept() -> None:
    async def story() -> None:
        store = Store(dict(BLANK))
        election = make_election(store)
        with running(election) as task:
            await asyncio.sleep(0.1)
            assert election.won.is_set()
            await asyncio.sleep(3600)
            assert election.tenure.age < 2.1
            assert not task.done()

    run_in_virtual_time(story())


@pytest.mark.parametrize("lease", [None, dict(BLANK)], ids=["missing", "there"])
def test_only_one_of_two_wins_and_the_other_waits_for_its_end(lease: dict[str, Any] | None) -> None:
    async def story() -> None:
        store = Store(lease)
        first, second = make_election(store, "a", 0), make_election(store, "b", 1)
        with running(first) as killed, running(second):
            await asyncio.sleep(30)
            winner, loser = (first, second) if first.won.is_set() else (second, first)
            assert (winner.tenure.holds, loser.won.is_set()) == (True, False)
            if winner is first:
                killed.cancel()
                began = asyncio.get_running_loop().time()
                await second.won.wait()
                assert 13 <= asyncio.get_running_loop().time() - began <= 17.1

    run_in_virtual_time(story())


def test_a_release_lets_the_other_in_within_a_retry() -> None:
    async def story() -> None:
        store = Store(dict(BLANK))
        first, second = make_election(store, "a", 0), make_election(store, "b", 1)
        async with standing(first, lambda _: None):
            await first.won.wait()
            with running(second):
                await asyncio.sleep(10)
        assert not first.tenure.holds
        assert store.lease is not None
        assert holder(store.lease) == ""
        with running(second):
            began = asyncio.get_running_loop().time()
            await second.won.wait()
            assert asyncio.get_running_loop().time() - began <= 2.1

    run_in_virtual_time(story())


@pytest.mark.parametrize("kind", ["refused", "lost", "unanswered"])
@pytest.mark.parametrize(("lasts", "survives"), [(6.0, True), (30.0, False)])
def test_an_apiserver_that_is_away_ends_the_tenure_at_the_deadline_and_not_before(
    kind: str, lasts: float, survives: bool
) -> None:
    async def story() -> None:
        store = Store(dict(BLANK), (Trouble(kind, 0, 5, lasts),))
        election = make_election(store)
        with running(election) as task:
            await asyncio.sleep(4.5)
            if survives:
                await asyncio.sleep(60)
                assert not task.done()
                return
            with pytest.raises(LeaseLostError, match="not renewed within 10 s: "):
                await task
            assert 10 <= election.tenure.age < 10.1

    run_in_virtual_time(story())


def test_a_lease_that_is_deleted_is_made_anew_by_its_holder_and_by_nobody_else() -> None:
    async def story() -> None:
        store = Store(dict(BLANK))
        first, second = make_election(store, "a", 0), make_election(store, "b", 1)
        with running(first):
            await first.won.wait()
            with running(second):
                await asyncio.sleep(5)
                store.delete()
                await asyncio.sleep(60)
                assert store.lease is not None
                assert (holder(store.lease), second.won.is_set()) == ("a", False)

    run_in_virtual_time(story())


def test_a_lease_that_somebody_else_holds_ends_the_tenure_at_once() -> None:
    async def story() -> None:
        store = Store(dict(BLANK))
        election = make_election(store)
        with running(election) as task:
            await election.won.wait()
            store.write({**BLANK, "spec": {"holderIdentity": "usurper"}})
            done, _ = await asyncio.wait({task})
            assert [str(ended.exception()) for ended in done] == ["usurper holds it"]
            assert not election.tenure.holds

    run_in_virtual_time(story())


def test_what_ends_the_election_is_told_and_raised() -> None:
    async def story() -> None:
        store = Store(dict(BLANK), (Trouble("refused", 0, 1, 60),))
        ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        with pytest.raises(LeaseLostError):
            async with standing(make_election(store), ended.set_result):
                assert isinstance(await ended, LeaseLostError)

    run_in_virtual_time(story())


# Whatever happens

TROUBLES = st.lists(
    st.builds(
        Trouble,
        st.sampled_from(["refused", "lost", "unanswered", "deleted"]),
        st.integers(0, REPLICAS - 1),
        st.floats(0, 60),
        st.floats(0.1, 40),
    ),
    max_size=6,
).map(tuple)


@dataclass
class Cluster:
    """Replicas that are started again whenever their election ends, as the kubelet would."""

    store: Store
    elections: dict[int, Election] = field(default_factory=dict)
    starts: int = 0

    async def keep_alive(self, replica: int) -> None:
        while True:
            self.starts += 1
            self.elections[replica] = make_election(self.store, f"{replica}_{self.starts}", replica)
            try:
                await self.elections[replica].run()
            except LeaseLostError:
                await asyncio.sleep(1)

    def leaders(self) -> list[int]:
        return [replica for replica, election in self.elections.items() if election.tenure.holds]


@settings(max_examples=60, deadline=None)
@given(troubles=TROUBLES, missing=st.booleans())
def test_never_two_may_write_and_in_the_end_one_does(troubles: tuple[Trouble, ...], missing: bool) -> None:
    async def story() -> None:
        store = Store(None if missing else dict(BLANK), troubles)
        cluster = Cluster(store)
        tasks = [asyncio.create_task(cluster.keep_alive(replica)) for replica in range(REPLICAS)]
        deletions = sorted(trouble.begins for trouble in troubles if trouble.kind == "deleted")
        while (now := asyncio.get_running_loop().time()) < 140:
            if deletions and deletions[0] <= now:
                deletions.pop(0)
                store.delete()
            assert len(cluster.leaders()) <= 1
            await asyncio.sleep(0.25)
        assert len(cluster.leaders()) == 1
        for task in tasks:
            task.cancel()

    run_in_virtual_time(story())
