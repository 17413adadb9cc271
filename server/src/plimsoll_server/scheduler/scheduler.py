"""The scheduler: who asks for what, what is known already, and what is made; and the loop that runs the packs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from plimsoll_server.config import LongInputConfig
from plimsoll_server.scheduler.answers import Answer, Assembler
from plimsoll_server.scheduler.breaker import Breaker, Trial
from plimsoll_server.scheduler.cache.answer_cache import AnswerCache
from plimsoll_server.scheduler.cache.keys import Keys
from plimsoll_server.scheduler.dispatcher import BatchObserver, Dispatcher, Engine, Record
from plimsoll_server.scheduler.documents import Document
from plimsoll_server.scheduler.errors import DeadlineError, GivenUpError, InvalidInputError, TooLongError
from plimsoll_server.scheduler.flights import Flight, Flights
from plimsoll_server.scheduler.lanes import MAX_BATCH, Lane
from plimsoll_server.scheduler.long_input import LongInput
from plimsoll_server.scheduler.maker import Maker, Question, input_at, naming
from plimsoll_server.scheduler.options import DEFAULT, Options
from plimsoll_server.scheduler.passage import Passage
from plimsoll_server.scheduler.saturation import SaturationMeter
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.scheduler.tokenise import Done, Tokeniser
from plimsoll_server.types import ModelInfo

Input = TypeVar("Input")

_DEADLINE_RETRY_AFTER = 5
_IDS_AT_ONCE = 16_384
"""Of ready-made token ids: a millisecond's."""


class Observer(BatchObserver, Protocol):
    def answers_came(self, source: str, count: int) -> None:
        """From `memory`, from `redis`, from the `flight` of another request, or from the `model`."""

    def cache_failed(self) -> None:
        """The one in Redis."""


class Scheduler:
    def __init__(
        self,
        info: ModelInfo,
        tiers: Sequence[Tier],
        policy: LongInputConfig,
        tokeniser: Tokeniser,
        engine: Engine,
        observer: Observer,
        record: Record,
        deadline_seconds: float,
        cache: AnswerCache | None = None,
        scope: str = "",
    ) -> None:
        """`tiers` as planned: how many sequences run at once is for the engine's line to say, as it changes.
        `scope`: whose answers these are, where the cache is shared with others."""
        self.info = info
        self.tiers = tiers
        self._long_input = LongInput(policy, tiers, info.window)
        self._tokeniser = tokeniser
        self._observer = observer
        self._deadline = deadline_seconds
        self._keys = Keys(info, tiers, policy, scope)
        self._cache = cache or AnswerCache()
        self._flights = Flights()
        self._breaker = Breaker()
        self._lanes = {tier.name: Lane(tier, engine, self._load_changed) for tier in tiers}
        self._assembler = Assembler(info, policy.aggregation, tokeniser.idle_room)
        self._maker = Maker(self._long_input, self._assembler, tokeniser, self._lanes)
        self._meter = SaturationMeter(time.monotonic())
        self._dispatcher = Dispatcher(
            list(self._lanes.values()), engine, observer, record, self._breaker, tokeniser.claims, tokeniser.ordinary
        )

    @property
    def longest_pass(self) -> int:
        """Tokens that may run in one piece."""
        return self._long_input.longest_pass

    @property
    def longest_text(self) -> int:
        """In bytes."""
        return self._tokeniser.max_text_bytes

    @property
    def most_entities(self) -> int:
        """In the answers to one request."""
        return self._assembler.most_entities

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Of the tiers, those in which anything ever runs."""
        return tuple(lane for lane in self._lanes.values() if lane.tier.usable)

    @property
    def tokenisation_workers(self) -> int:
        return self._tokeniser.workers

    async def run(self) -> None:
        """Feeds the engine until cancelled."""
        try:
            await self._dispatcher.run()
        finally:
            await self._cache.close()

    def close(self) -> None:
        self._tokeniser.close()

    async def answer_texts(self, texts: Sequence[str], options: Options = DEFAULT) -> list[Answer]:
        """One answer per text. Raises a RequestError."""
        questions = [
            Question(self._keys.of_text(text, options), text, partial(self._tokeniser.document, text), place)
            for place, text in _placed(texts)
        ]
        return await self._answers(questions, options, MAX_BATCH)

    async def answer_tokens(
        self, sequences: Sequence[Sequence[int]], options: Options = DEFAULT, *, at_once: int = MAX_BATCH
    ) -> list[Answer]:
        """One answer per list of token ids, at most `at_once` of them in the works. Raises a RequestError."""
        read = partial(self._questions_of, sequences, options)
        many = sum(map(len, sequences)) > _IDS_AT_ONCE
        return await self._answers(await self.aside(read) if many else read(), options, at_once)

    async def aside(self, work: Callable[[], Done], *, needs: int = 0, what: str = "") -> Done:
        """What `work` gives, on a thread: for what would hold up the event loop. `needs`: bytes, to do `what`. Raises
        OverloadedError."""
        return await self._tokeniser.aside(work, needs=needs, what=what)

    def saturation(self) -> float:
        """Mean of the last 30 seconds; 1.0 is the load line."""
        # The line and the devices change without a word: whoever asks brings it to the dispatcher's ears as well.
        self._load_changed()
        return self._meter.mean(time.monotonic())

    def starved_seconds(self) -> float:
        """For how long there has been no memory to read a text, though nothing runs; 0 when all is well."""
        return self._tokeniser.claims.starved_seconds()

    def queued_tokens(self) -> dict[str, int]:
        """By the name of the tier."""
        return {name: lane.queued_tokens for name, lane in self._lanes.items()}

    def load_line(self) -> dict[str, int]:
        """Sequences that may run at once on all devices, by the name of the tier."""
        return {name: lane.at_once for name, lane in self._lanes.items()}

    def cached_bytes(self) -> int:
        return self._cache.size

    def circuit_open(self) -> bool:
        return self._breaker.open

    def _questions_of(self, sequences: Sequence[Sequence[int]], options: Options) -> list[Question]:
        self._check_vocabulary(sequences)
        return [
            Question(self._keys.of_tokens(tokens, options), "", partial(self._framed, tokens), place)
            for place, tokens in _placed(sequences)
        ]

    async def _answers(self, questions: Sequence[Question], options: Options, at_once: int) -> list[Answer]:
        """What was answered before is answered at once, and what is not, once however many ask."""
        found = self._cache.at_hand(question.key for question in questions)
        missing = [question for question in questions if question.key not in found]
        self._came("memory", len(questions) - len(missing))
        if missing:
            found |= await self._in_time(missing, options, at_once)
        answers = [found[question.key] for question in questions]
        # Those that were remembered are counted here, and those that others asked for too.
        entities = sum(len(answer.entities) for answer in answers)
        self._assembler.check_entities(entities, longest(answer.tier for answer in answers))
        return answers

    async def _in_time(self, questions: Sequence[Question], options: Options, at_once: int) -> dict[bytes, Answer]:
        patience, given_up = self._patience(options)
        passage = Passage(at_once, asyncio.get_running_loop().time() + patience)
        flights: list[Flight] = []
        try:
            async with asyncio.timeout(patience):
                found = await self._cache.elsewhere([question.key for question in questions], raw=options.raw)
                self._came("redis", sum(question.key in found for question in questions))
                flights = self._board([each for each in questions if each.key not in found], options, passage)
                arrived = await self._flights.arrivals(flights)
        except (InvalidInputError, TooLongError) as error:
            raise naming(error, questions, flights) from None
        except TimeoutError:
            whose = "the request's own limit" if given_up is GivenUpError else "PLIMSOLL_REQUEST_DEADLINE_SECONDS"
            raise given_up(
                f"no answer within {patience:g} s ({whose}): the queue is long, or the text is; try again later, "
                "or send less at once",
                tier=_longest_known(flights),
                retry_after=_DEADLINE_RETRY_AFTER,
            ) from None
        return found | {flight.key: answer for flight, answer in zip(flights, arrived, strict=True)}

    def _patience(self, options: Options) -> tuple[float, type[DeadlineError]]:
        """Seconds until the caller is told that there is no answer, and what that is then."""
        if options.timeout_seconds is not None and options.timeout_seconds < self._deadline:
            return options.timeout_seconds, GivenUpError
        return self._deadline, DeadlineError

    def _board(self, questions: Sequence[Question], options: Options, passage: Passage) -> list[Flight]:
        """A flight for each question: one that is on its way, or a new one. Raises NotServingError."""
        under_way = {each.key: flight for each in questions if (flight := self._flights.find(each.key)) is not None}
        new = {each.key: each for each in questions if each.key not in under_way}
        trial = self._breaker.check() if new else None
        self._came("flight", len(questions) - len(new))
        self._came("model", len(new))
        for flight in under_way.values():
            flight.ride.join(passage.until)
        return [*under_way.values(), *(self._begin(question, options, passage, trial) for question in new.values())]

    def _begin(self, question: Question, options: Options, passage: Passage, trial: Trial | None) -> Flight:
        def landed(_: object) -> None:
            flight.ride.has_read()
            self._breaker.ended(trial)

        flight = Flight(question.key, passage.ride())
        self._flights.begin(flight, self._make(flight, question, options))
        flight.task.add_done_callback(landed)
        return flight

    async def _make(self, flight: Flight, question: Question, options: Options) -> Answer:
        answer = await self._maker.answer(question, options, flight)
        self._cache.keep(question.key, answer)
        return answer

    async def _framed(self, tokens: Sequence[int]) -> Document:
        return self._tokeniser.framed(tokens)

    def _check_vocabulary(self, sequences: Sequence[Sequence[int]]) -> None:
        size = self.info.vocabulary
        for place, tokens in _placed(sequences):
            least, most = min(tokens), max(tokens)
            if not 0 <= least <= most < size:
                raise InvalidInputError(f"{input_at(place)}token ids run from 0 to {size - 1}, found {least} to {most}")

    def _came(self, source: str, count: int) -> None:
        if count:
            self._observer.answers_came(source, count)

    def _load_changed(self) -> None:
        self._meter.record(max(lane.saturation for lane in self._lanes.values()), time.monotonic())
        self._dispatcher.wake()


def _placed(inputs: Sequence[Input]) -> Iterable[tuple[int | None, Input]]:
    """Each with its place, unless it is the only one."""
    return enumerate(inputs) if len(inputs) > 1 else ((None, each) for each in inputs)


def longest(tiers: Iterable[Tier]) -> Tier:
    return max(tiers, key=lambda tier: tier.max_tokens)


def _longest_known(flights: Iterable[Flight]) -> str | None:
    known = [flight.tier for flight in flights if flight.tier is not None]
    return longest(known).name if known else None
