"""What a fleet of worker processes costs, beside as many processes with the same engine that nobody feeds."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.fleet.fleet import Fleet
from plimsoll_server.engine.fleet.places import places
from plimsoll_server.engine.order import EngineOrder
from plimsoll_server.models.location import locate
from serving.folders import model_folder
from serving.shapes import Shape

SMALL = Shape("4 layers of width 256", layers=4, width=256, heads=4, feed_forward=512, vocabulary=2_048)
"""So small that handing a batch over weighs more than it does with any model of use."""
_BENCH = Path(__file__).resolve().parent.parent / "workers.py"
_WARM_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Work:
    """The batch that each worker runs again and again."""

    sequences: int
    tokens: int

    def batch(self) -> list[list[int]]:
        return [[4 + (7 * place + number) % 2_000 for place in range(self.tokens)] for number in range(self.sequences)]


@dataclass(frozen=True, slots=True)
class Overhead:
    """Rates in batches per second, of all workers together, at the median of the rounds."""

    workers: int
    sequences: int
    tokens: int
    apart: float
    fleet: float
    percent: float
    """By which the fleet is behind, at the median of the rounds; each round has both, one after the other."""
    percents: list[float]
    processor_percent: float
    """By which the fleet takes more processor time for a batch, the server's own process counted, at the median."""
    shares: list[float]
    """Of the fleet's batches that each worker ran."""


class _Tally:
    """How many batches each worker answered."""

    def __init__(self) -> None:
        self.batches: Counter[int] = Counter()

    def worker_up(self, number: int, *, up: bool) -> None:
        """Nothing to count."""

    def worker_batch(self, number: int) -> None:
        self.batches[number] += 1

    def learned(self, seconds: Mapping[str, float]) -> None:
        """Nothing to count."""

    def worker_replaced(self, number: int) -> None:
        raise RuntimeError(f"worker {number} ended while it was measured")


def measure(
    counts: Sequence[int], works: Sequence[Work], rounds: int, seconds: float, tell: Callable[[str], None]
) -> list[Overhead]:
    """Each worker has one thread, here and there."""
    found = []
    for count in counts:
        for one in asyncio.run(_with_workers(count, works, rounds, seconds)):
            tell(line(one))
            found.append(one)
    return found


def line(found: Overhead) -> str:
    return (
        f"{found.workers} workers, {found.sequences} x {found.tokens} tokens: apart {found.apart:.1f}/s, "
        f"fleet {found.fleet:.1f}/s, {found.percent:.1f} % behind with {found.processor_percent:.1f} % more processor "
        f"time; shares {found.shares}"
    )


async def _with_workers(count: int, works: Sequence[Work], rounds: int, seconds: float) -> list[Overhead]:
    folder = str(model_folder(SMALL))
    order = EngineOrder(ModelConfig(location=folder), locate(folder), memory_percent=85, threads=count)
    tally = _Tally()
    fleet = Fleet(places(order, count, (), 0), tally)
    await fleet.launch(tally.learned)
    try:
        with _apart(count, folder) as alone:
            return [await _compared(fleet, tally, alone, count, work, rounds, seconds) for work in works]
    finally:
        await fleet.close()


async def _compared(
    fleet: Fleet, tally: _Tally, alone: Sequence[_Alone], count: int, work: Work, rounds: int, seconds: float
) -> Overhead:
    _pace_apart(alone, work, _WARM_SECONDS)
    await _pace_of(fleet, count, work, _WARM_SECONDS)
    tally.batches.clear()
    apart, together = [], []
    for _ in range(rounds):
        apart.append(_pace_apart(alone, work, seconds))
        together.append(await _pace_of(fleet, count, work, seconds))
    pairs = list(zip(together, apart, strict=True))
    percents = [100 * (1 - ours.rate / theirs.rate) for ours, theirs in pairs]
    total = tally.batches.total()
    return Overhead(
        count,
        work.sequences,
        work.tokens,
        round(statistics.median(pace.rate for pace in apart), 2),
        round(statistics.median(pace.rate for pace in together), 2),
        round(statistics.median(percents), 1),
        [round(percent, 1) for percent in percents],
        round(statistics.median(100 * (ours.processor / theirs.processor - 1) for ours, theirs in pairs), 1),
        [round(tally.batches[number] / total, 3) for number in range(count)],
    )


@dataclass(frozen=True, slots=True)
class _Pace:
    rate: float
    """Batches per second."""
    processor: float
    """Seconds of the processors for each batch."""


async def _pace_of(fleet: Fleet, count: int, work: Work, seconds: float) -> _Pace:
    """As the scheduler feeds it: one batch on its way for each device."""
    batch = work.batch()
    processes = [psutil.Process(), *map(psutil.Process, fleet.pids())]
    spent, began = _processor_seconds(processes), time.perf_counter()

    async def feed() -> int:
        done = 0
        while time.perf_counter() < began + seconds:
            await fleet.run(batch)
            done += 1
        return done

    done = sum(await asyncio.gather(*(feed() for _ in range(count))))
    return _Pace(done / (time.perf_counter() - began), (_processor_seconds(processes) - spent) / done)


def _processor_seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


@dataclass(frozen=True)
class _Alone:
    """A process with an engine that runs one batch in a loop when told to."""

    process: subprocess.Popen[str]

    def tell(self, order: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def answer(self) -> tuple[int, float]:
        """Batches, and seconds."""
        assert self.process.stdout is not None
        done, took = json.loads(self.process.stdout.readline())
        return int(done), float(took)


def _pace_apart(alone: Sequence[_Alone], work: Work, seconds: float) -> _Pace:
    processes = [psutil.Process(one.process.pid) for one in alone]
    spent = _processor_seconds(processes)
    for one in alone:
        one.tell({"sequences": work.sequences, "tokens": work.tokens, "seconds": seconds})
    answers = [one.answer() for one in alone]
    total = sum(done for done, _ in answers)
    return _Pace(sum(done / took for done, took in answers), (_processor_seconds(processes) - spent) / total)


@contextmanager
def _apart(count: int, folder: str) -> Iterator[list[_Alone]]:
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603  this interpreter, with this very benchmark
                    [sys.executable, str(_BENCH), "alone", folder],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )
            )
            for _ in range(count)
        ]
        yield [_Alone(process) for process in started]


def run_alone(folder: str) -> None:
    """Obeys standard input until it ends: writes for each order how many batches it ran, and in how many seconds."""
    from plimsoll_server.engine.build import build_engine

    order = EngineOrder(ModelConfig(location=folder), locate(folder), memory_percent=85, threads=1)
    with ThreadPoolExecutor(1) as pool:
        engine = build_engine(order, pool)
        for text in sys.stdin:
            told = json.loads(text)
            batch = Work(told["sequences"], told["tokens"]).batch()
            sys.stdout.write(json.dumps(asyncio.run(_loop(engine, batch, told["seconds"]))) + "\n")
            sys.stdout.flush()
    # Without the interpreter's own ending, in which libraries tell of what they have not tidied up.
    os._exit(0)


async def _loop(engine: Any, batch: list[list[int]], seconds: float) -> tuple[int, float]:
    began, done = time.perf_counter(), 0
    while time.perf_counter() < began + seconds:
        await engine.run(batch)
        done += 1
    return done, time.perf_counter() - began
