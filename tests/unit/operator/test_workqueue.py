"""The queue: one worker per key, each key once, again when it failed or asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from plimsoll_operator.workqueue import Backlog, Backoff, Failure, Schedule, WorkQueue


def schedule_of(**due: float) -> Schedule[str]:
    schedule: Schedule[str] = Schedule()
    for key, moment in due.items():
        schedule.add(key, moment)
    return schedule


def drained(schedule: Schedule[str], now: float) -> list[str]:
    keys = []
    while (key := schedule.take(now)) is not None:
        keys.append(key)
    return keys


def test_keys_are_handed_out_in_the_order_in_which_they_are_due() -> None:
    assert drained(schedule_of(late=3, first=1, second=2), now=2.5) == ["first", "second"]


def test_a_key_added_twice_is_handed_out_once() -> None:
    schedule = schedule_of(a=1)
    schedule.add("a", 1)
    assert drained(schedule, now=5) == ["a"]


@pytest.mark.parametrize(("again", "due"), [(1.0, 1.0), (9.0, 4.0)], ids=["brought forward", "not put off"])
def test_the_earlier_of_two_times_counts(again: float, due: float) -> None:
    schedule = schedule_of(a=4)
    schedule.add("a", again)
    assert schedule.next_due() == due


def test_a_key_that_a_worker_holds_waits_until_it_is_released() -> None:
    schedule = schedule_of(a=1)
    schedule.take(1)
    schedule.add("a", 1)
    assert (schedule.take(9), schedule.next_due()) == (None, None)
    schedule.release("a")
    assert schedule.take(9) == "a"


def test_a_released_key_that_nobody_added_is_done_with() -> None:
    schedule = schedule_of(a=1)
    schedule.take(1)
    schedule.release("a")
    assert (schedule.take(9), schedule.next_due()) == (None, None)


def test_the_backlog_counts_what_is_due_and_not_what_is_scheduled() -> None:
    assert schedule_of(a=1, b=4, later=60).backlog(now=5) == Backlog(depth=2, oldest=4)
    assert schedule_of(later=60).backlog(now=5) == Backlog(depth=0, oldest=0)


@pytest.mark.parametrize(
    ("failures", "luck", "seconds"),
    [
        (1, 0.0, 0.25),
        (1, 1.0, 0.5),
        (2, 1.0, 1.0),
        (4, 1.0, 4.0),
        (10, 1.0, 60.0),
        (5000, 1.0, 60.0),
        (5000, 0.0, 30.0),
    ],
)
def test_failures_are_retried_ever_later_up_to_a_cap_and_never_given_up(
    failures: int, luck: float, seconds: float
) -> None:
    assert Backoff(base=0.5, cap=60).delay(failures, luck) == seconds


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  what is waited for is the outcome, whoever brings it about
            await asyncio.sleep(0.001)


class Workshop:
    """A running queue whose work is a function of the test's, with the failures it reported."""

    def __init__(self, work: Callable[[str], Awaitable[timedelta | None]], backoff: Backoff | None = None) -> None:
        self.failures: list[Failure[str]] = []
        self.queue = WorkQueue(
            work,
            self.failures.append,
            clock=asyncio.get_running_loop().time,
            luck=lambda: 1.0,
            backoff=backoff or Backoff(base=0.001, cap=0.002),
        )

    async def run_until(self, done: Callable[[], bool], workers: int = 2) -> None:
        running = asyncio.create_task(self.queue.run(workers))
        await until(done)
        self.queue.stop()
        await running


async def test_a_key_is_never_worked_on_twice_at_once_and_nothing_added_meanwhile_is_lost() -> None:
    active: set[str] = set()
    rounds: list[str] = []

    async def work(key: str) -> None:
        assert key not in active
        active.add(key)
        if len(rounds) < 3:
            workshop.queue.add(key)
        await asyncio.sleep(0.005)
        active.remove(key)
        rounds.append(key)

    workshop = Workshop(work)
    workshop.queue.add("a")
    await workshop.run_until(lambda: len(rounds) == 4, workers=4)
    assert not workshop.failures


async def test_different_keys_are_worked_on_at_the_same_time() -> None:
    both = asyncio.Barrier(2)
    done: list[str] = []

    async def work(key: str) -> None:
        async with both:
            done.append(key)

    workshop = Workshop(work)
    workshop.queue.add("a")
    workshop.queue.add("b")
    await workshop.run_until(lambda: len(done) == 2)


async def test_a_key_comes_back_when_its_work_asks_for_it() -> None:
    rounds = 0

    async def work(_: str) -> timedelta | None:
        nonlocal rounds
        rounds += 1
        return timedelta(milliseconds=2) if rounds < 3 else None

    workshop = Workshop(work)
    workshop.queue.add("a")
    await workshop.run_until(lambda: rounds == 3)


async def test_a_failing_key_is_tried_again_and_does_not_stop_the_others() -> None:
    good = 0

    async def work(key: str) -> None:
        nonlocal good
        if key == "bad":
            raise KeyError("boom")
        good += 1

    workshop = Workshop(work)
    workshop.queue.add("bad")
    workshop.queue.add("good")
    await workshop.run_until(lambda: len(workshop.failures) == 3, workers=1)
    assert good == 1
    assert [failure.count for failure in workshop.failures] == [1, 2, 3]
    assert [failure.delay for failure in workshop.failures] == [0.001, 0.002, 0.002]


async def test_success_forgets_earlier_failures() -> None:
    outcomes = iter([OSError(), None, OSError()])
    rounds = 0

    async def work(_: str) -> timedelta:
        nonlocal rounds
        rounds += 1
        if (outcome := next(outcomes, None)) is not None:
            raise outcome
        return timedelta(milliseconds=1)

    workshop = Workshop(work)
    workshop.queue.add("a")
    await workshop.run_until(lambda: rounds == 4)
    assert [failure.count for failure in workshop.failures] == [1, 1]


async def test_an_event_does_not_wait_for_the_back_off() -> None:
    rounds = 0

    async def work(_: str) -> None:
        nonlocal rounds
        rounds += 1
        raise OSError

    workshop = Workshop(work, Backoff(base=600, cap=600))
    workshop.queue.add("a")
    running = asyncio.create_task(workshop.run_until(lambda: rounds == 2))
    await until(lambda: rounds == 1)
    workshop.queue.add("a")
    await running


async def test_stopping_lets_a_worker_finish_what_it_holds() -> None:
    finished = False
    started = asyncio.Event()

    async def work(_: str) -> None:
        nonlocal finished
        started.set()
        await asyncio.sleep(0.01)
        finished = True

    workshop = Workshop(work)
    workshop.queue.add("a")
    await workshop.run_until(started.is_set)
    assert finished


async def test_cancelling_ends_the_workers_in_the_middle_of_their_work() -> None:
    started = asyncio.Event()

    async def work(_: str) -> None:
        started.set()
        await asyncio.Event().wait()

    workshop = Workshop(work)
    workshop.queue.add("a")
    running = asyncio.create_task(workshop.queue.run(2))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not workshop.failures
