"""The election in virtual time: who takes the Lease, who keeps it, and how a tenure ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lease_store import BLANK, Store, Trouble, make_election
from plimsoll_operator.election import Election, LeaseLostError, standing
from plimsoll_operator.leases import holder
from virtual_time import run_in_virtual_time

RELEASED = {**BLANK, "spec": {"leaseDurationSeconds": 1}}


@contextmanager
def running(election: Election) -> Iterator[asyncio.Task[None]]:
    task = asyncio.create_task(election.run())
    try:
        yield task
    finally:
        task.cancel()


def test_a_lease_that_nobody_held_is_taken_at_once_where_there_is_nothing_to_write_and_kept() -> None:
    async def story() -> None:
        store = Store(dict(BLANK))
        election = make_election(store, idle=True)
        with running(election) as task:
            await asyncio.sleep(0.1)
            assert election.won.is_set()
            await asyncio.sleep(3600)
            assert election.tenure.age < 2.1
            assert not task.done()

    run_in_virtual_time(story())


@pytest.mark.parametrize("lease", [None, BLANK, RELEASED], ids=["missing", "blank", "released"])
def test_only_one_of_two_wins_and_the_other_waits_for_its_end(lease: dict[str, Any] | None) -> None:
    async def story() -> None:
        store = Store(lease)
        first, second = make_election(store, "a", 0), make_election(store, "b", 1)
        with running(first) as killed, running(second):
            await asyncio.sleep(40)
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
        store = Store(dict(RELEASED))
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
        store = Store(dict(RELEASED), (Trouble(kind, 0, 5, lasts),))
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
        store = Store(dict(RELEASED))
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


def test_a_lease_that_was_made_without_an_answer_gives_no_right_at_once() -> None:
    async def story() -> None:
        election = make_election(Store(None, (Trouble("reset", 0, 0, 7),)))
        with running(election):
            await election.won.wait()
            # Six seconds of courtesy, then the lost answer, and ten from when it is known to be there.
            assert 18 <= asyncio.get_running_loop().time() <= 21

    run_in_virtual_time(story())


def test_a_leader_whose_lease_was_put_back_keeps_its_right_to_its_end_and_pauses_then() -> None:
    async def story() -> None:
        store = Store(dict(RELEASED))
        election = make_election(store)
        with running(election) as task:
            await asyncio.sleep(20.5)
            store.put_back()
            rights = []
            for _ in range(12):
                await asyncio.sleep(1)
                rights.append(election.tenure.holds)
            assert rights == [True] * 9 + [False] * 2 + [True]
            assert not task.done()

    run_in_virtual_time(story())


def test_one_that_has_just_taken_it_anew_does_not_give_it_back_as_free() -> None:
    async def story() -> None:
        store = Store(None)
        election = make_election(store)
        with running(election):
            await asyncio.sleep(10)
        await election.release()
        assert store.lease is not None
        assert holder(store.lease) == "a"

    run_in_virtual_time(story())


def test_a_lease_that_somebody_else_holds_ends_the_tenure_at_once() -> None:
    async def story() -> None:
        store = Store(dict(RELEASED))
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
        store = Store(dict(RELEASED), (Trouble("refused", 0, 1, 60),))
        ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        with pytest.raises(LeaseLostError):
            async with standing(make_election(store), ended.set_result):
                assert isinstance(await ended, LeaseLostError)

    run_in_virtual_time(story())
