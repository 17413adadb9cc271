"""The fleet with real worker processes: even dispatch, a worker killed under load without a lost batch, an end without
orphans."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plimsoll_server.audience import Audience
from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.build import build_engine
from plimsoll_server.engine.fleet.fleet import Fleet
from plimsoll_server.engine.fleet.gpus import chosen
from plimsoll_server.engine.fleet.places import places, servers_share, workers_wanted
from plimsoll_server.engine.fleet.remote import Worker
from plimsoll_server.engine.fleet.restarts import PAUSES, WINDOW_SECONDS, Restarts
from plimsoll_server.engine.order import EngineOrder
from plimsoll_server.engine.process_memory import MemoryBudgetError
from plimsoll_server.errors import StartError
from plimsoll_server.models.location import Located, locate
from plimsoll_server.types import Failure, LabelLogits

LONG, SHORT = [1, *[4] * 298, 2], [1, 4, 2]
PATIENCE = 240


class Watch:
    """What the fleet tells."""

    def __init__(self) -> None:
        self.batches: Counter[int] = Counter()
        self.replaced: Counter[int] = Counter()
        self.up: dict[int, bool] = {}

    def worker_up(self, number: int, *, up: bool) -> None:
        self.up[number] = up

    def worker_batch(self, number: int) -> None:
        self.batches[number] += 1

    def worker_replaced(self, number: int) -> None:
        self.replaced[number] += 1


def order(folder: Path) -> EngineOrder:
    return EngineOrder(ModelConfig(location=str(folder)), locate(str(folder)), memory_percent=85, threads=2)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def fleet_of(
    count: int, folder: Path, watch: Watch, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Fleet]:
    made = places(order(folder), count, (), 0)
    fleet = Fleet([replace(place, environment={**place.environment, **(environment or {})}) for place in made], watch)
    await fleet.launch(lambda seconds: None)
    keeping = asyncio.create_task(fleet.keep())
    try:
        await fleet.start(long=LONG, short=SHORT, probe=SHORT)
        yield fleet
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await fleet.close()


def batch(number: int) -> list[list[int]]:
    return [[1, *[4 + number % 3] * 5, 2], [1, 4 + number % 5, 2]]


ILL = """
import os, signal, time
from pathlib import Path
from plimsoll_server.engine import recovery

well = recovery.run_with_recovery

def ill(forward, batch, make_room):
    if [1, 1, 2] in batch:
        os.kill(os.getpid(), signal.SIGKILL)
    once = Path(__file__).with_name("hung")
    if [1, 2, 2] in batch and not once.exists():
        once.touch()
        time.sleep(600)
    return well(forward, batch, make_room)

recovery.run_with_recovery = ill
"""
FATAL, HANGING = [1, 1, 2], [1, 2, 2]
"""What ends each worker that is given it, and what the first one hangs at, which goes on telling that it lives."""


@pytest.fixture
def ill(tmp_path: Path) -> Mapping[str, str]:
    """The environment of workers that can be made to fail."""
    (tmp_path / "sitecustomize.py").write_text(ILL)
    return {"PYTHONPATH": str(tmp_path)}


async def test_a_worker_that_is_killed_or_hangs_loses_no_batch_and_is_replaced(
    topic_folder: Path, ill: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch()
    async with fleet_of(2, topic_folder, watch, ill) as fleet:
        assert fleet.devices == 2
        quiet = [(await fleet.run(batch(number))).outcomes for number in range(6)]
        assert all(isinstance(outcome, LabelLogits) for outcomes in quiet for outcome in outcomes)
        assert max(watch.batches.values()) - min(watch.batches.values()) <= 1, "by turns where nothing else tells"

        within = await asyncio.gather(fleet.run(batch(0)), *(fleet.run(batch(1), between=True) for _ in range(3)))
        assert [report.outcomes for report in within] == [quiet[0], *[quiet[1]] * 3]

        # Seconds of work: word that nobody waits reaches the worker while it is at it, however busy the machine is.
        nobody = Audience()
        abandoned = asyncio.create_task(fleet.run([LONG] * 800, audience=nobody))
        await until(lambda: nobody.watched)
        nobody.leave()
        assert (await asyncio.wait_for(abandoned, PATIENCE)).abandoned

        victim, other = fleet.pids()
        asked = [asyncio.create_task(fleet.run(batch(number % 6))) for number in range(40)]
        await until(lambda: sum(task.done() for task in asked) >= 4)
        os.kill(victim, signal.SIGKILL)
        reports = await asyncio.wait_for(asyncio.gather(*asked), PATIENCE)
        assert [report.outcomes for report in reports] == [quiet[number % 6] for number in range(40)]

        # All of them may have been answered before anybody saw that it is gone.
        await until(lambda: victim not in fleet.pids() and fleet.devices == 2)
        assert other in fleet.pids()
        assert (watch.replaced, watch.up) == ({0: 1}, {0: True, 1: True})
        before = watch.batches[0]
        await asyncio.gather(*(fleet.run(batch(number)) for number in range(4)))
        assert watch.batches[0] > before, "the successor gets its share"

        monkeypatch.setattr("plimsoll_server.engine.fleet.tempo._LEAST_SECONDS", 5.0)
        hung = await asyncio.wait_for(fleet.run([HANGING, SHORT]), PATIENCE)
        assert all(isinstance(outcome, LabelLogits) for outcome in hung.outcomes)
        await until(lambda: fleet.devices == 2)
        assert sum(watch.replaced.values()) >= 2
    assert not any(map(alive, [other, *fleet.pids()])), "no worker outlives the fleet"


@pytest.mark.thorough
async def test_a_text_that_kills_workers_takes_no_other_with_it_and_is_given_to_no_more_than_three(
    topic_folder: Path, ill: Mapping[str, str]
) -> None:
    watch = Watch()
    async with fleet_of(2, topic_folder, watch, ill) as fleet:
        sound = [[1, 4, 2], [1, 5, 2], [1, 4, 5, 2], [1, 5, 4, 2]]
        quiet = (await fleet.run(sound)).outcomes
        poisoned = await asyncio.wait_for(fleet.run([*sound, FATAL]), PATIENCE)
        assert poisoned.outcomes == (*quiet, Failure.MODEL_FAULT)
        again = await asyncio.wait_for(fleet.run([FATAL, sound[0]]), PATIENCE)
        assert again.outcomes == (Failure.MODEL_FAULT, quiet[0])
        await until(lambda: fleet.devices == 2)
        assert sum(watch.replaced.values()) == 3


def some_order(**fields: Any) -> EngineOrder:
    plain = EngineOrder(ModelConfig(location="/m"), Located(Path("/m"), None), memory_percent=85, threads=2)
    return replace(plain, **fields)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_model_that_no_worker_can_load_is_told_in_its_own_words(topic_folder: Path) -> None:
    wrong = replace(order(topic_folder), model=ModelConfig(location=str(topic_folder), task="token-classification"))
    fleet = Fleet(places(wrong, 1, (), 0), Watch())
    with pytest.raises(StartError, match=r"set spec\.model\.task: text-classification"):
        await fleet.launch(lambda seconds: None)
    assert not any(map(alive, fleet.pids()))


@pytest.mark.parametrize(
    ("fate", "seconds"),
    [
        pytest.param("raise SystemExit(7)", PATIENCE, id="ends"),
        pytest.param("import time; time.sleep(600)", 0.5, id="hangs while it loads"),
    ],
)
async def test_a_worker_that_cannot_be_replaced_again_and_again_is_given_up(
    topic_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fate: str, seconds: float
) -> None:
    monkeypatch.setattr("plimsoll_server.engine.fleet.replacing.START_SECONDS", seconds)
    monkeypatch.setattr("plimsoll_server.engine.fleet.remote._END_SECONDS", 0.5)
    (place,) = places(order(topic_folder), 1, (), 0)
    watch = Watch()
    fleet = Fleet([replace(place, environment={"PYTHONPATH": str(tmp_path)})], watch, pauses=(0.0, 0.0))
    await fleet.launch(lambda seconds: None)
    keeping = asyncio.create_task(fleet.keep())
    (tmp_path / "torch.py").write_text(fate)
    os.kill(fleet.pids()[0], signal.SIGKILL)
    with pytest.raises(StartError, match="ended more than 2 times within 10 minutes"):
        await asyncio.wait_for(keeping, PATIENCE)
    assert watch.replaced == {0: 2}
    assert not await fleet.proves_itself()


async def test_a_worker_that_hangs_in_its_first_test_ends_the_start(
    topic_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plimsoll_server.engine.fleet.fleet.START_SECONDS", 1.0)
    monkeypatch.setattr("plimsoll_server.engine.fleet.remote._END_SECONDS", 0.5)
    fleet = Fleet(places(order(topic_folder), 1, (), 0), Watch())
    await fleet.launch(lambda seconds: None)
    (pid,) = fleet.pids()
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(StartError, match="a worker did not start within 1 s; its device or its disk does not answer"):
        await asyncio.wait_for(fleet.start(long=LONG, short=SHORT, probe=SHORT), PATIENCE)
    assert not alive(pid)


async def test_a_start_that_nobody_waits_for_any_more_leaves_no_process(tmp_path: Path) -> None:
    (place,) = places(some_order(), 1, (), 0)
    worker = Worker(replace(place, environment={"PYTHONPATH": str(tmp_path)}))
    starting = asyncio.create_task(worker.begin())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await worker.close()
    assert not alive(worker.pid)


@pytest.mark.parametrize(
    ("ends", "pauses"),
    [
        pytest.param([0.0], [0.0], id="the first at once"),
        pytest.param([0.0, 1.0, 2.0, 3.0, 4.0], list(PAUSES), id="then more slowly"),
        pytest.param([0.0] * 6, [*PAUSES, None], id="then no more"),
        pytest.param([0.0, WINDOW_SECONDS + 1], [0.0, 0.0], id="what is long ago does not count"),
    ],
)
def test_replacements_are_bounded(ends: list[float], pauses: list[float | None]) -> None:
    restarts = Restarts()
    assert [restarts.pause(end) for end in ends] == pauses


@pytest.mark.parametrize(
    ("threads", "count", "shares"),
    [
        pytest.param(8, 2, [4, 4], id="even"),
        pytest.param(5, 2, [3, 2], id="one more for the first"),
        pytest.param(2, 4, [1, 1, 1, 1], id="one each at least"),
    ],
)
def test_threads_are_shared_out(threads: int, count: int, shares: list[int]) -> None:
    made = places(some_order(threads=threads), count, (), 0)
    assert [place.order.threads for place in made] == shares
    assert [place.environment["OMP_NUM_THREADS"] for place in made] == [str(share) for share in shares]


def test_memory_is_shared_out_with_a_part_for_the_server_itself() -> None:
    limit = 4 << 30
    own = servers_share(limit, in_use=200 << 20)
    made = places(some_order(memory_limit=limit), 2, (), own)
    assert own == (200 << 20) + limit // 10
    assert [(place.order.memory_limit, place.order.workers) for place in made] == [((limit - own) // 2, 2)] * 2


def test_what_is_promised_beside_batches_is_in_the_servers_own_part() -> None:
    cache = 64 << 20
    limit = 4 << 30
    own = servers_share(limit, in_use=0, promised=cache)
    made = places(some_order(memory_limit=limit, promised_bytes=cache), 2, (), own)
    assert own == limit // 10 + cache
    assert [place.order.promised_bytes for place in made] == [0, 0]


def test_a_limit_that_leaves_the_workers_nothing_is_refused() -> None:
    limit = 300 << 20
    with pytest.raises(MemoryBudgetError, match=r"raise spec\.server\.resources"):
        places(some_order(memory_limit=limit), 2, (), servers_share(limit, in_use=200 << 20))


def test_a_worker_whose_part_is_too_little_says_whose_limit_that_is() -> None:
    [one, _] = places(some_order(memory_limit=40 << 20), 2, (), servers_share=8 << 20)
    with (
        ThreadPoolExecutor(1) as thread,
        pytest.raises(MemoryBudgetError, match=r"each of 2 workers' part of the memory limit of 16 MiB"),
    ):
        build_engine(one.order, thread)


def test_each_worker_sees_its_own_gpu_alone() -> None:
    made = places(some_order(), 2, ("GPU-a", "GPU-b"), 0)
    assert [(place.device, place.environment["CUDA_VISIBLE_DEVICES"]) for place in made] == [
        ("GPU-a", "GPU-a"),
        ("GPU-b", "GPU-b"),
    ]


@pytest.mark.parametrize(
    ("asked", "gpus", "count"),
    [
        pytest.param(0, 0, 1, id="one CPU worker without GPUs"),
        pytest.param(0, 4, 4, id="all GPUs"),
        pytest.param(3, 0, 3, id="CPU workers as asked"),
        pytest.param(1, 4, 1, id="fewer than there are"),
    ],
)
def test_so_many_workers_are_wanted(asked: int, gpus: int, count: int) -> None:
    assert workers_wanted(asked, ["GPU"] * gpus) == count


def test_more_workers_than_gpus_are_refused() -> None:
    with pytest.raises(StartError, match="PLIMSOLL_DEVICES is 4, but 2 GPUs are visible"):
        workers_wanted(4, ["GPU-a", "GPU-b"])


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        pytest.param(None, ["GPU-aa", "GPU-ab", "MIG-c"], id="all where nothing is said"),
        pytest.param("", [], id="none"),
        pytest.param("1,0", ["GPU-ab", "GPU-aa"], id="by number, in that order"),
        pytest.param("MIG-c, GPU-a", ["MIG-c", "GPU-aa"], id="by the beginning of the identifier"),
        pytest.param("0,-1,1", ["GPU-aa"], id="up to one that is none"),
        pytest.param("7", [], id="one that is not there"),
        pytest.param("0,0", ["GPU-aa"], id="the same twice"),
    ],
)
def test_gpus_are_chosen_as_cuda_chooses_them(wanted: str | None, names: list[str]) -> None:
    assert chosen(wanted, ["GPU-aa", "GPU-ab", "MIG-c"]) == names
