"""What becomes of a batch whose worker is lost, and how long a worker may be silent before it is."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import pytest

from plimsoll_server.engine.fleet.failover import Failover, Run
from plimsoll_server.engine.fleet.outcasts import Outcasts
from plimsoll_server.engine.fleet.remote import NoWorkerError, WorkerFaultError, WorkerLostError
from plimsoll_server.engine.fleet.restarts import WINDOW_SECONDS
from plimsoll_server.engine.fleet.tempo import Tempo, weight
from plimsoll_server.engine.progress import Progress
from plimsoll_server.types import BatchReport, Failure, LabelLogits, Outcome, Tokens
from scheduler_builders import until

OK = "ok"
LOST = "lost"


class Workers:
    """As many as are needed, each of which ends at a batch with one of `fatal` in it."""

    def __init__(self, fatal: Collection[int], chances: int = 0) -> None:
        """`chances`: losses that nobody is to blame for."""
        self.fatal = fatal
        self.chances = chances
        self.tried: list[int] = []
        self.lost = 0

    async def run(self, batch: Sequence[Tokens]) -> BatchReport:
        self.tried.append(len(batch))
        if any(tokens[0] in self.fatal for tokens in batch) or self.chances:
            self.chances = max(0, self.chances - 1)
            self.lost += 1
            raise WorkerLostError("worker 0 was ended by SIGKILL")
        return BatchReport(tuple(LabelLogits((float(tokens[0]),)) for tokens in batch), seconds=1.0)


def failover(
    run: Run, outcasts: Outcasts | None = None, workers: int = 1, told: dict[int, Outcome] | None = None
) -> Failover:
    heard: dict[int, Outcome] = {} if told is None else told
    return Failover(run, outcasts or Outcasts(), lambda: workers, heard.__setitem__)


def batch_of(count: int) -> list[Tokens]:
    return [[number] for number in range(count)]


def told(report: BatchReport) -> list[str]:
    return [LOST if outcome is Failure.MODEL_FAULT else OK for outcome in report.outcomes]


@pytest.mark.parametrize(
    ("count", "fatal", "chances", "tried", "lost"),
    [
        pytest.param(8, (), 0, [8], [], id="nothing lost"),
        pytest.param(8, (), 1, [8, 4, 4], [], id="by chance, and then nothing is lost but time"),
        pytest.param(1, (), 2, [1, 1, 1], [], id="a lone one has three tries"),
        pytest.param(8, (5,), 0, [8, 4, 4, 1, 1, 1, 1], [5], id="one is to blame, and alone is given up"),
        pytest.param(3, (2,), 0, [3, 2, 1, 1], [2], id="an uneven batch"),
        pytest.param(8, (0, 7), 0, [8, 4, 4, 1, 1, 1, 1, 1, 1, 1, 1], [0, 7], id="two are to blame"),
        pytest.param(8, (0, 1, 2, 7), 0, [8, 4, 4, 1, 1], [0, 1, 2, 3, 4, 5, 6, 7], id="too many: five workers"),
    ],
)
async def test_a_batch_whose_worker_is_lost_runs_in_parts(
    count: int, fatal: Collection[int], chances: int, tried: list[int], lost: list[int]
) -> None:
    workers = Workers(fatal, chances)
    run = failover(workers.run).run(batch_of(count))
    if len(lost) == count:
        with pytest.raises(WorkerLostError, match="5 workers were lost with the same batch of 8"):
            await run
    else:
        assert told(await run) == [LOST if number in lost else OK for number in range(count)]
    assert workers.tried == tried
    assert workers.lost <= 5


async def test_side_by_side_no_more_workers_are_lost_than_one_after_the_other() -> None:
    workers = Workers(range(32))
    with pytest.raises(WorkerLostError, match="5 workers were lost with the same batch of 32"):
        await failover(workers.run, workers=8).run(batch_of(32))
    assert workers.lost == 5


class Places:
    """So many workers, each of which hangs at a batch with `fatal` in it until it is ended."""

    def __init__(self, fatal: int) -> None:
        self.fatal = fatal
        self.ended = asyncio.Event()
        self.running = self.most = 0

    async def run(self, batch: Sequence[Tokens]) -> BatchReport:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if [self.fatal] in batch:
                await self.ended.wait()
                self.ended.clear()
                raise WorkerLostError("worker 0 was ended by SIGKILL")
            return BatchReport(tuple(LabelLogits((float(tokens[0]),)) for tokens in batch))
        finally:
            self.running -= 1


@pytest.mark.parametrize("fatal", [0, 7], ids=["the first", "the last"])
async def test_what_a_hanging_worker_does_not_have_is_answered_before_it_is_ended(fatal: int) -> None:
    """With two workers: each time one hangs, the other goes on with the parts that it was not given."""
    workers, told = Places(fatal), dict[int, Outcome]()
    running = asyncio.create_task(failover(workers.run, workers=2, told=told).run(batch_of(8)))
    half = {number for number in range(8) if number // 4 != fatal // 4}
    for known in (set(), half, set(range(8)) - {fatal}):
        await until(lambda known=known: set(told) == known and workers.running == 1)  # type: ignore[misc]
        workers.ended.set()
    report = await running
    assert told[fatal] is Failure.MODEL_FAULT
    assert report.outcomes == tuple(told[number] for number in range(8))
    assert workers.most <= 2


async def test_a_worker_that_comes_back_is_given_a_part_that_waits() -> None:
    workers, told, serving = Places(0), dict[int, Outcome](), 1
    run = Failover(workers.run, Outcasts(), lambda: serving, told.__setitem__).run(batch_of(2))
    running = asyncio.create_task(run)
    await until(lambda: workers.running == 1)
    workers.ended.set()
    await until(lambda: not workers.ended.is_set() and workers.running == 1)
    assert not told
    serving = 2
    await until(lambda: set(told) == {1})
    for _ in range(2):
        await until(lambda: workers.running == 1 and not workers.ended.is_set())
        workers.ended.set()
        await until(lambda: not workers.ended.is_set())
    assert (await running).outcomes[0] is Failure.MODEL_FAULT


async def test_parts_end_with_those_who_wait_for_them() -> None:
    workers = Places(0)
    running = asyncio.create_task(failover(workers.run, workers=2).run(batch_of(8)))
    await until(lambda: workers.running == 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert workers.running == 0


async def test_that_no_worker_comes_back_costs_what_has_not_run_and_is_told_where_that_is_all() -> None:
    calls = 0

    async def run(batch: Sequence[Tokens]) -> BatchReport:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise WorkerLostError("lost")
        if calls == 3:
            raise NoWorkerError("no worker served for 120 s")
        return BatchReport(tuple(LabelLogits((1.0,)) for _ in batch))

    assert told(await failover(run).run(batch_of(4))) == [OK, OK, LOST, LOST]
    calls = 2
    with pytest.raises(NoWorkerError):
        await failover(run).run(batch_of(4))


async def test_what_took_its_workers_with_it_is_given_to_no_other_for_a_while() -> None:
    now = 0.0
    outcasts = Outcasts(lambda: now)
    first, second, third = Workers((5,)), Workers((5,)), Workers((5,))
    await failover(first.run, outcasts).run(batch_of(8))
    assert told(await failover(second.run, outcasts).run([[5], [6]])) == [LOST, OK]
    alone = await failover(second.run, outcasts).run([[5]])
    assert (told(alone), alone.tried) == ([LOST], False)
    assert (second.tried, second.lost) == ([1], 0)
    now = WINDOW_SECONDS
    with pytest.raises(WorkerLostError):
        await failover(third.run, outcasts).run([[5]])


async def test_so_many_are_remembered_and_no_more() -> None:
    outcasts = Outcasts()
    for number in range(300):
        outcasts.add([number])
    assert [[number] in outcasts for number in (0, 43, 44, 299)] == [False, False, True, True]


async def test_a_batch_that_nobody_waits_for_any_more_is_not_run_again() -> None:
    calls = 0

    async def run(batch: Sequence[Tokens]) -> BatchReport:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise WorkerLostError("lost")
        return BatchReport(())

    assert (await failover(run).run(batch_of(8))).abandoned
    assert calls == 2


async def test_a_fault_of_the_model_costs_the_part_that_it_met_and_is_told_where_that_is_all() -> None:
    workers = Workers((), chances=1)

    async def run(batch: Sequence[Tokens]) -> BatchReport:
        report = await workers.run(batch)
        if [0] in batch:
            raise WorkerFaultError("ForwardError: no")
        return report

    assert told(await failover(run).run(batch_of(4))) == [LOST, LOST, OK, OK]
    with pytest.raises(WorkerFaultError):
        await failover(run).run(batch_of(4))


def test_a_worker_is_granted_what_layers_have_taken_and_a_margin() -> None:
    tempo = Tempo()
    short, long = [[1] * 512] * 8, [[1] * 32_768]
    assert tempo.patience(weight(short)) == 120, "nothing is known"
    tempo.ran(short, 0.05)
    assert tempo.patience(weight(short)) == 20
    tempo.ran(long, 14.0)
    assert tempo.patience(weight(long)) == pytest.approx(140, rel=0.01)
    assert tempo.patience(weight(short)) == 20
    assert tempo.patience(weight([[1] * 262_144])) == 900


def test_a_longer_text_than_any_before_is_granted_the_square() -> None:
    tempo = Tempo()
    tempo.ran([[1] * 4096], 3.0)
    assert tempo.patience(weight([[1] * 16_384])) > 10 * 3.0 * 4 * 3


def test_the_longest_layer_is_told_without_what_ran_between() -> None:
    now = 0.0
    progress = Progress(lambda: now)

    def pass_time(seconds: float) -> None:
        nonlocal now
        now += seconds

    border = progress.told_by(lambda: pass_time(60))
    progress.begins()
    for seconds in (1, 3, 2):
        pass_time(seconds)
        assert progress.still_seconds() == seconds
        border()
    pass_time(1)
    assert progress.still_seconds() == 1
    assert progress.longest_step() == 3
    progress.ends()
    assert progress.still_seconds() == 0
