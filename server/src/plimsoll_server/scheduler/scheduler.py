"""The scheduler: each request's way from a text to its answer, read from top to bottom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable, Sequence

from plimsoll_server.config import LongInputConfig
from plimsoll_server.scheduler.answers import Answer, Assembler
from plimsoll_server.scheduler.dispatcher import BatchObserver, Dispatcher, Engine, Record
from plimsoll_server.scheduler.documents import Document
from plimsoll_server.scheduler.errors import DeadlineError, InvalidInputError
from plimsoll_server.scheduler.flow import Step, flow
from plimsoll_server.scheduler.lanes import MAX_BATCH, Lane
from plimsoll_server.scheduler.long_input import LongInput, Route
from plimsoll_server.scheduler.options import DEFAULT, Options
from plimsoll_server.scheduler.saturation import SaturationMeter
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.scheduler.tokenise import Tokeniser
from plimsoll_server.types import ModelInfo, Output

_DEADLINE_RETRY_AFTER = 5


class Scheduler:
    def __init__(
        self,
        info: ModelInfo,
        tiers: Sequence[Tier],
        policy: LongInputConfig,
        tokeniser: Tokeniser,
        engine: Engine,
        observer: BatchObserver,
        record: Record,
        deadline_seconds: float,
    ) -> None:
        self.info = info
        self.tiers = tiers
        self._long_input = LongInput(policy, tiers, info.window)
        self._assembler = Assembler(info, policy.aggregation)
        self._tokeniser = tokeniser
        self._deadline = deadline_seconds
        self._lanes = {tier.name: Lane(tier, self._load_changed) for tier in tiers}
        self._meter = SaturationMeter(time.monotonic())
        self._dispatcher = Dispatcher(list(self._lanes.values()), engine, observer, record)

    @property
    def longest_pass(self) -> int:
        """Tokens that may run in one piece."""
        return self._long_input.longest_pass

    async def run(self) -> None:
        """Feeds the engine until cancelled."""
        await self._dispatcher.run()

    def close(self) -> None:
        self._tokeniser.close()

    async def answer_texts(self, texts: Sequence[str], options: Options = DEFAULT) -> list[Answer]:
        """One answer per text. Raises a RequestError."""
        run = await self._in_time(self._tokenised(texts), options, at_once=MAX_BATCH)
        return [self._assembler.answer(*part, text, raw=options.raw) for part, text in zip(run, texts, strict=True)]

    async def answer_tokens(
        self, sequences: Sequence[Sequence[int]], options: Options = DEFAULT, *, at_once: int = MAX_BATCH
    ) -> list[Answer]:
        """One answer per list of token ids, at most `at_once` of them in the works. Raises a RequestError."""
        self._check_vocabulary(sequences)
        run = await self._in_time(self._framed(sequences), options, at_once=at_once)
        return [self._assembler.answer(*part, "", raw=options.raw) for part in run]

    def saturation(self) -> float:
        """Mean of the last 30 seconds; 1.0 is the load line."""
        return self._meter.mean(time.monotonic())

    def queued_tokens(self) -> dict[str, int]:
        """By the name of the tier."""
        return {name: lane.queued_tokens for name, lane in self._lanes.items()}

    async def _in_time(
        self, reading: Awaitable[list[Document]], options: Options, *, at_once: int
    ) -> list[tuple[Document, Route, list[Output]]]:
        tier = None
        patience, whose = self._patience(options)
        try:
            async with asyncio.timeout(patience):
                documents = await reading
                routes = [self._long_input.route(document, truncate=options.truncate) for document in documents]
                tier = longest(route.tier for route in routes).name
                outputs = iter(await flow(self._steps(documents, routes), at_once))
        except TimeoutError:
            raise DeadlineError(
                f"no answer within {patience:g} s ({whose}): the queue is long, or the text is; try again later, "
                "or send less at once",
                tier=tier,
                retry_after=_DEADLINE_RETRY_AFTER,
            ) from None
        return [
            (document, route, [next(outputs) for _ in route.pieces])
            for document, route in zip(documents, routes, strict=True)
        ]

    def _patience(self, options: Options) -> tuple[float, str]:
        """Seconds until the caller is told that there is no answer, and who set them."""
        if options.timeout_seconds is not None and options.timeout_seconds < self._deadline:
            return options.timeout_seconds, "the request's own limit"
        return self._deadline, "PLIMSOLL_REQUEST_DEADLINE_SECONDS"

    async def _tokenised(self, texts: Sequence[str]) -> list[Document]:
        return [await self._tokeniser.document(text) for text in texts]

    async def _framed(self, sequences: Sequence[Sequence[int]]) -> list[Document]:
        return [self._tokeniser.framed(tokens) for tokens in sequences]

    def _check_vocabulary(self, sequences: Sequence[Sequence[int]]) -> None:
        size = self.info.vocabulary
        for tokens in sequences:
            if not 0 <= min(tokens) <= max(tokens) < size:
                raise InvalidInputError(f"token ids run from 0 to {size - 1}, found {min(tokens)} to {max(tokens)}")

    def _steps(self, documents: Sequence[Document], routes: Sequence[Route]) -> list[Step]:
        return [
            Step(document, piece.span, self._lanes[piece.tier.name])
            for document, route in zip(documents, routes, strict=True)
            for piece in route.pieces
        ]

    def _load_changed(self) -> None:
        self._meter.record(max(lane.saturation for lane in self._lanes.values()), time.monotonic())
        self._dispatcher.wake()


def longest(tiers: Iterable[Tier]) -> Tier:
    return max(tiers, key=lambda tier: tier.max_tokens)
