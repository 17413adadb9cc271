"""One answer, from the text to the end: tokenised, cut where it is long, run in the lanes, and put together again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from plimsoll_server.scheduler.answers import ENTITY_BYTES, Answer, Assembler
from plimsoll_server.scheduler.documents import Document
from plimsoll_server.scheduler.errors import InvalidInputError, TooLongError
from plimsoll_server.scheduler.flights import Flight
from plimsoll_server.scheduler.flow import Step, flow
from plimsoll_server.scheduler.lanes import Lane
from plimsoll_server.scheduler.long_input import LongInput, Route
from plimsoll_server.scheduler.options import Options
from plimsoll_server.scheduler.tokenise import Tokeniser
from plimsoll_server.tracing import part
from plimsoll_server.types import Output

InputError: TypeAlias = InvalidInputError | TooLongError

_TOKENS_AT_ONCE = 2_048
"""Of a text with entities: were each token one, they would be put together in about eight milliseconds."""


@dataclass(frozen=True, slots=True)
class Question:
    key: bytes
    text: str
    """Empty for ready-made tokens."""
    read: Callable[[], Awaitable[Document]]
    place: int | None = None
    """Among the inputs of a request, the first is 0; None where it is the only one."""


def naming(error: InputError, questions: Iterable[Question], flights: Iterable[Flight]) -> InputError:
    """`error` with the input that it is about. Others who ask for the same have it elsewhere, and share the error."""
    if isinstance(error, TooLongError) and error.in_all:
        return error
    failed = {flight.key for flight in flights if flight.failed_with(error)}
    place = next((question.place for question in questions if question.key in failed), None)
    named = copy(error)
    named.args = (f"{input_at(place)}{error}",)
    return named


def input_at(place: int | None) -> str:
    """What an error of that input begins with."""
    return "" if place is None else f"input {place} (the first is 0): "


class Maker:
    def __init__(
        self, long_input: LongInput, assembler: Assembler, tokeniser: Tokeniser, lanes: Mapping[str, Lane]
    ) -> None:
        """`lanes`: by the name of their tier."""
        self._long_input = long_input
        self._assembler = assembler
        self._tokeniser = tokeniser
        self._lanes = lanes

    async def answer(self, question: Question, options: Options, flight: Flight) -> Answer:
        """On the way of `flight`, which is told its tier. Raises a RequestError."""
        ride = flight.ride
        document = await ride.read(partial(_tokenised, question))
        route = self._long_input.route(document, truncate=options.truncate)
        flight.tier = route.tier
        ride.has_read(len(route.pieces))
        await ride.all_read()
        if ride.too_many:
            raise self._long_input.too_many(route.tier)
        outputs = await flow(self._steps(document, route), ride)
        make = partial(self._assembler.answer, document, route, outputs, question.text, raw=options.raw)
        many = bool(document.starts) and document.tokens > _TOKENS_AT_ONCE
        answer = await self._put_together(make, outputs) if many else make()
        ride.has_found(len(answer.entities))
        self._assembler.check_entities(ride.entities, route.tier)
        return answer

    def _steps(self, document: Document, route: Route) -> list[Step]:
        return [Step(document, piece.span, self._lanes[piece.tier.name]) for piece in route.pieces]

    async def _put_together(self, make: Callable[[], Answer], outputs: Sequence[Output]) -> Answer:
        """Of a text with so many tokens that the entities among them may take long, and much memory."""
        tokens = await self._tokeniser.aside(partial(self._assembler.tokens_within_entities, outputs))
        what = f"put the entities of {tokens} tokens together"
        return await self._tokeniser.aside(make, needs=tokens * ENTITY_BYTES, what=what)


async def _tokenised(question: Question) -> Document:
    with part("tokenise"):
        return await question.read()
