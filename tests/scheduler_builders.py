"""A scheduler whose engine is held by the test: a batch runs for as long as the test likes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from plimsoll_server.audience import Audience
from plimsoll_server.config import LongInputConfig
from plimsoll_server.pack_record import PackRecord
from plimsoll_server.scheduler.cache.answer_cache import AnswerCache
from plimsoll_server.scheduler.dispatcher import Engine
from plimsoll_server.scheduler.memory_claims import MemoryClaims
from plimsoll_server.scheduler.scheduler import Scheduler
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.scheduler.tokenise import Tokeniser
from plimsoll_server.types import Activation, BatchReport, LabelLogits, LoadLine, ModelInfo, Outcome, Tokens
from server_builders import save_tokenizer, word_tokenizer

SEA, FORBIDDEN = 4, 5
"""Token ids of the words sea and forbidden."""
INFO = ModelInfo(
    location="/m", revision=None, family="modernbert", task="text-classification", dtype="float32", attention="sdpa",
    device="cpu", window=2048, vocabulary=6, labels=("sea",), activation=Activation.SOFTMAX, tokenizer_file="",
    width=32, layers=3, pooling="mean", packing="packed",
)  # fmt: skip
TIERS = (Tier("short", 16, 4, 4), Tier("long", 64, 1, 1))


@dataclass(eq=False)
class Held:
    batch: list[Tokens]
    between: bool
    audience: Audience | None
    gate: asyncio.Future[None]
    abandoned: bool = False

    @property
    def lengths(self) -> list[int]:
        return [len(tokens) for tokens in self.batch]


@dataclass
class HeldEngine:
    """Runs a batch when the test lets it; a sequence's only label scores its length."""

    answer: Callable[[Tokens], Outcome] = lambda tokens: LabelLogits((float(len(tokens)),))
    devices: int = 1
    now: LoadLine = field(default_factory=LoadLine)
    held: list[Held] = field(default_factory=list)
    _permits: int = 0

    def line(self) -> LoadLine:
        return self.now

    @property
    def batches(self) -> list[list[Tokens]]:
        return [held.batch for held in self.held]

    async def run(
        self, batch: Sequence[Tokens], *, between: bool = False, audience: Audience | None = None
    ) -> BatchReport:
        held = Held(list(batch), between, audience, asyncio.get_running_loop().create_future())
        self.held.append(held)
        if self._permits:
            self._permits -= 1
            held.gate.set_result(None)
        await held.gate
        return BatchReport(() if held.abandoned else tuple(self.answer(tokens) for tokens in batch))

    def release(self, batches: int = 1000) -> None:
        """The oldest first, and then so many that are still to come."""
        waiting = [held for held in self.held if not held.gate.done()][:batches]
        for held in waiting:
            held.gate.set_result(None)
        self._permits += batches - len(waiting)

    def finish(self, number: int) -> None:
        """That one and no other."""
        self.held[number].gate.set_result(None)

    def abandon(self, number: int) -> None:
        """That one ends without an outcome."""
        self.held[number].abandoned = True
        self.finish(number)


class Observed:
    """What the scheduler tells of itself."""

    def __init__(self) -> None:
        self.batches: list[str] = []
        self.sources: Counter[str] = Counter()
        self.cache_faults = 0

    def batch_done(self, tier: str, report: BatchReport) -> None:
        self.batches.append(tier)

    def answers_came(self, source: str, count: int) -> None:
        self.sources[source] += count

    def cache_failed(self) -> None:
        self.cache_faults += 1


@asynccontextmanager
async def scheduling(
    folder: Path,
    engine: Engine,
    deadline: float = 20.0,
    record: Path | str = "",
    tiers: Sequence[Tier] = TIERS,
    cache: AnswerCache | None = None,
    observer: Observed | None = None,
    claims: MemoryClaims | None = None,
    info: ModelInfo = INFO,
    idle_room: int | None = None,
    **policy: Any,
) -> AsyncIterator[Scheduler]:
    save_tokenizer(word_tokenizer(["sea", "forbidden"]), folder)
    tokeniser = Tokeniser(
        str(folder / "tokenizer.json"),
        threads=1,
        max_text_bytes=100_000,
        cut_above=16,
        with_offsets=info.task == "token-classification",
        claims=claims or MemoryClaims(lambda: None),
    )
    if idle_room is not None:
        tokeniser.idle_with(idle_room)
    rules = LongInputConfig.model_validate({"chunk_tokens": 32, "overlap_tokens": 4, **policy}, by_name=True)
    watching = observer or Observed()
    scheduler = Scheduler(info, tiers, rules, tokeniser, engine, watching, PackRecord(str(record)), deadline, cache)
    running = asyncio.create_task(scheduler.run())
    try:
        yield scheduler
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        scheduler.close()


_TEXTS = count()


def words(number: int) -> str:
    """A text of `number` words, that was never asked before: two tokens more, with its frame."""
    return "sea " * number + " " * next(_TEXTS)


def queue_holds(scheduler: Scheduler, tokens: int) -> bool:
    return sum(scheduler.queued_tokens().values()) == tokens


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  what changes is the scheduler's own business
            await asyncio.sleep(0.001)
