"""Short texts while long ones stream: how long they take when they may run between the layers of a long one, and when
they queue behind it. The same model, lengths and scheduler, in turns; writes benchmarks/preemption.json.

    python benchmarks/preemption.py            # 8,192 tokens against 512, half the width: 15 minutes, two cores
    python benchmarks/preemption.py --whole    # the same with all of ModernBERT-base's width: longer, or a GPU
    python benchmarks/preemption.py --quick    # three layers, 2,048 against 128: to look, kept nowhere
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# bootstrap.py is there, which the benchmarks beside this one take things from.
sys.path.append(str(ROOT))

from origin import stamp  # noqa: E402
from plimsoll_server.config import LongInputConfig, ModelConfig  # noqa: E402
from plimsoll_server.engine.build import build_engine  # noqa: E402
from plimsoll_server.engine.cpus import usable_cpus  # noqa: E402
from plimsoll_server.engine.engine import Engine  # noqa: E402
from plimsoll_server.engine.order import EngineOrder  # noqa: E402
from plimsoll_server.models.find import find_model  # noqa: E402
from plimsoll_server.pack_record import PackRecord  # noqa: E402
from plimsoll_server.phases import Phases  # noqa: E402
from plimsoll_server.scheduler.memory_claims import MemoryClaims  # noqa: E402
from plimsoll_server.scheduler.scheduler import Scheduler  # noqa: E402
from plimsoll_server.scheduler.tiers import Tier  # noqa: E402
from plimsoll_server.scheduler.tokenise import Tokeniser  # noqa: E402
from plimsoll_server.types import BatchReport, LoadLine, Tokens  # noqa: E402
from serving.folders import model_folder  # noqa: E402
from serving.shapes import BASE, PERIOD, Shape  # noqa: E402

OUTPUT = Path(__file__).with_suffix(".json")
HALF = Shape("22 layers of width 384", layers=22, width=384, heads=6, feed_forward=576, vocabulary=50_368)
"""As many borders between layers as ModernBERT-base has, and four times as many texts a minute."""
WITHIN, BEHIND = "within the long one", "behind the long one"
_STREAMS = 2
"""Callers of long texts: one runs, one waits."""
_DEADLINE_SECONDS = 600.0
_MEMORY_LIMIT = 2_500 << 20
_NUMBERS = count()


@dataclass(frozen=True, slots=True)
class Plan:
    short: int
    long: int
    every: float
    """Seconds between two short texts, however long the ones before them take."""
    seconds: float
    """Of one round."""
    rounds: int


@dataclass
class Found:
    shorts: list[float] = field(default_factory=list)
    """Seconds of each."""
    longs: list[float] = field(default_factory=list)
    seconds: float = 0.0


class OneAfterTheOther:
    """An engine that runs nothing within anything: its line leaves no room beside a long text, so that the short ones
    that wait for its end share the next pack."""

    def __init__(self, engine: Engine, longest: int) -> None:
        self._engine = engine
        self._longest = longest

    @property
    def devices(self) -> int:
        return self._engine.devices

    def line(self) -> LoadLine:
        return LoadLine(bytes_per_token=1, room=self._longest)

    async def run(self, batch: Sequence[Tokens], **how: Any) -> BatchReport:
        return await self._engine.run(batch, **how)


class Nobody:
    def batch_done(self, tier: str, report: BatchReport) -> None: ...
    def answers_came(self, source: str, count: int) -> None: ...
    def cache_failed(self) -> None: ...


def a_text(tokens: int) -> list[int]:
    """Never the same twice: those would be computed once."""
    draw = random.Random(f"preemption {next(_NUMBERS)}")  # noqa: S311
    return [draw.randrange(4, 2_000) for _ in range(tokens)]


def scheduler_of(engine: Engine | OneAfterTheOther, tokeniser: Tokeniser, plan: Plan, info: Any) -> Scheduler:
    tiers = (Tier("short", plan.short, 16, 16), Tier("long", plan.long, 1, 1))
    native = LongInputConfig(policy="Native")
    return Scheduler(info, tiers, native, tokeniser, engine, Nobody(), PackRecord(""), _DEADLINE_SECONDS)


async def one_round(scheduler: Scheduler, plan: Plan, found: Found) -> None:
    running = asyncio.create_task(scheduler.run())
    began = time.monotonic()
    streams = [asyncio.create_task(_stream(scheduler, plan.long, found.longs)) for _ in range(_STREAMS)]
    await asyncio.sleep(plan.every)
    shorts = []
    while time.monotonic() - began < plan.seconds:
        shorts.append(asyncio.create_task(_timed(scheduler, plan.short, found.shorts)))
        await asyncio.sleep(plan.every)
    await asyncio.gather(*shorts)
    found.seconds += time.monotonic() - began
    for task in (*streams, running):
        task.cancel()
    await asyncio.gather(*streams, running, return_exceptions=True)


async def _stream(scheduler: Scheduler, tokens: int, seconds: list[float]) -> None:
    while True:
        await _timed(scheduler, tokens, seconds)


async def _timed(scheduler: Scheduler, tokens: int, seconds: list[float]) -> None:
    began = time.monotonic()
    await scheduler.answer_tokens([a_text(tokens)])
    seconds.append(time.monotonic() - began)


async def alone(engine: Engine, tokens: int, times: int) -> tuple[float, float]:
    """Median seconds of a forward pass with nothing beside it, and of its longest layer."""
    taken, longest = [], []
    for _ in range(times):
        began = time.monotonic()
        report = await engine.run([a_text(tokens)])
        taken.append(time.monotonic() - began)
        longest.append(report.longest_step)
    return statistics.median(taken), statistics.median(longest)


@contextmanager
def idle_engine(folder: Path, worker: ThreadPoolExecutor) -> Iterator[tuple[Engine, Tokeniser]]:
    located = find_model(str(folder), Phases())
    order = EngineOrder(ModelConfig(location=str(folder)), located, 85, usable_cpus(), memory_limit=_MEMORY_LIMIT)
    # On the thread that will run the batches, as a server builds it.
    engine = worker.submit(build_engine, order, worker).result()
    tokeniser = Tokeniser(
        engine.info.tokenizer_file,
        threads=1,
        max_text_bytes=1024,
        cut_above=1 << 20,
        with_offsets=False,
        claims=MemoryClaims(lambda: None),
    )
    try:
        yield engine, tokeniser
    finally:
        tokeniser.close()


async def measure(engine: Engine, tokeniser: Tokeniser, plan: Plan) -> dict[str, Any]:
    # As a server does before it is ready: only a measured line tells what fits beside a long text.
    await engine.start(long=a_text(300), short=a_text(12), probe=a_text(plan.short))
    calibration = await engine.calibrate(a_text(plan.short), plan.long, plan.long)
    await alone(engine, plan.short, 1)
    short, _ = await alone(engine, plan.short, 5)
    long, layer = await alone(engine, plan.long, 5)
    ways: dict[str, Engine | OneAfterTheOther] = {WITHIN: engine, BEHIND: OneAfterTheOther(engine, plan.long)}
    found = {way: Found() for way in ways}
    for _ in range(plan.rounds):
        for way, chosen in ways.items():
            await one_round(scheduler_of(chosen, tokeniser, plan, engine.info), plan, found[way])
            # What the last round left on the device would be the next one's.
            await alone(engine, plan.short, 1)
            sys.stderr.write(f"{way}: {len(found[way].shorts)} short texts, {len(found[way].longs)} long ones\n")
    return {
        "short_tokens": plan.short,
        "long_tokens": plan.long,
        "layers": engine.info.layers,
        "width": engine.info.width,
        "line_tokens": engine.line().tokens,
        "bytes_per_token": calibration and calibration.bytes_per_token,
        "every": plan.every,
        "short_alone": round(short, 3),
        "long_alone": round(long, 3),
        "longest_layer": round(layer, 3),
        "ways": {way: _figures(one, promised=layer + short) for way, one in found.items()},
    }


def _figures(found: Found, promised: float) -> dict[str, Any]:
    """`promised`: seconds, of the long text's longest layer and of the short text itself."""
    quantiles = statistics.quantiles(found.shorts, n=100, method="inclusive")
    return {
        "shorts": len(found.shorts),
        "p50": round(quantiles[49], 3),
        "p95": round(quantiles[94], 3),
        "p99": round(quantiles[98], 3),
        "worst": round(max(found.shorts), 3),
        "as_promised": round(sum(one <= promised for one in found.shorts) / len(found.shorts), 3),
        "longs": len(found.longs),
        "longs_per_minute": round(60 * len(found.longs) / found.seconds, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=220.0)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two short texts")
    asked = parser.parse_args()
    plan = (
        Plan(128, 2048, every=0.7, seconds=12, rounds=1)
        if asked.quick
        else Plan(512, 8192, every=asked.every, seconds=asked.seconds, rounds=asked.rounds)
    )
    shape = PERIOD if asked.quick else BASE if asked.whole else HALF
    with ThreadPoolExecutor(1) as worker, idle_engine(model_folder(shape), worker) as idle:
        figures = asyncio.run(measure(*idle, plan))
    document = {
        **stamp(" ".join(("python benchmarks/preemption.py", *sys.argv[1:]))),
        **figures,
    }
    text = json.dumps(document, indent=1) + "\n"
    sys.stdout.write(text)
    if not asked.quick:
        OUTPUT.write_text(text)


if __name__ == "__main__":
    main()
