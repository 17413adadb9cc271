"""From the outputs of a document's pieces to its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from plimsoll_server.scheduler.chunks import new_tokens
from plimsoll_server.scheduler.documents import Document
from plimsoll_server.scheduler.entities import Entity, locate, runs_of, tokens_within, union
from plimsoll_server.scheduler.errors import TooLongError
from plimsoll_server.scheduler.long_input import Route
from plimsoll_server.scheduler.scores import AGGREGATIONS, Aggregation, Scores, activate, mean
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.types import Embedding, LabelLogits, ModelInfo, Output, TokenLabels, Uncertainty


@dataclass(frozen=True, slots=True)
class Answer:
    """`scores` for text-classification, `entities` for token-classification, `embedding` for feature-extraction; and
    how the text was read."""

    tier: Tier
    tokens: int
    chunks: int
    truncated_tokens: int
    scores: Scores = ()
    entities: tuple[Entity, ...] = ()
    embedding: tuple[float, ...] = ()
    """As long as the model is wide, and not normalised."""
    uncertainty: Uncertainty | None = None
    """With scores, of a model that tells it."""
    remembered: bool = field(default=False, compare=False)
    """Whether it was made for an earlier request, so that this one did not wait for the model."""


MAX_ENTITIES = 262_144
"""Of one request. A megabyte of ordinary text has fewer words."""
ENTITY_BYTES = 320
"""Memory that each takes while they are put together,"""
WRITTEN_BYTES = 512
"""and while they are written, beside that: what JSON is made from, twice its text, and the words that it may hold."""


class Assembler:
    """Puts the outputs of one model together again."""

    def __init__(self, info: ModelInfo, aggregation: str, room: int | None = None) -> None:
        """`room`: bytes that an idle server leaves for an answer, None where nothing limits it."""
        self._info = info
        self._aggregation = aggregation
        within_memory = MAX_ENTITIES if room is None else room // (ENTITY_BYTES + WRITTEN_BYTES)
        self.most_entities = min(MAX_ENTITIES, within_memory)
        """Of one request: more would never be given, so they are no shortage of the moment."""

    def check_entities(self, number: int, tier: Tier) -> None:
        """Of one request so far. Raises TooLongError."""
        if number > self.most_entities:
            raise TooLongError(
                f"the answer has more than {self.most_entities} entities, and no more are given to one request; send "
                "shorter texts, or fewer at once",
                tier=tier.name,
                in_all=True,
            )

    def answer(self, document: Document, route: Route, outputs: Sequence[Output], text: str, *, raw: bool) -> Answer:
        """`outputs`: one per piece of the route. `raw`: logits in the place of scores. Raises TooLongError."""
        labels = [output for output in outputs if isinstance(output, LabelLogits)]
        tokens = [output for output in outputs if isinstance(output, TokenLabels)]
        pooled = [output.values for output in outputs if isinstance(output, Embedding)]
        return Answer(
            tier=route.tier,
            tokens=document.tokens - route.truncated,
            chunks=len(route.pieces),
            truncated_tokens=route.truncated,
            scores=self._scores(route, labels, raw=raw) if labels else (),
            entities=self._entities(document, route, tokens, text) if tokens else (),
            embedding=_over_chunks(mean, pooled, route) if pooled else (),
            uncertainty=self._uncertainty(route, labels),
        )

    def tokens_within_entities(self, outputs: Sequence[Output]) -> int:
        """Tokens; a few milliseconds for each hundred thousand."""
        found = (output for output in outputs if isinstance(output, TokenLabels))
        return sum(tokens_within(output, self._info.labels) for output in found)

    def _scores(self, route: Route, outputs: Sequence[LabelLogits], *, raw: bool) -> Scores:
        chunks = [output.logits if raw else activate(output.logits, self._info.activation) for output in outputs]
        return _over_chunks(AGGREGATIONS[self._aggregation], chunks, route)

    def _uncertainty(self, route: Route, outputs: Sequence[LabelLogits]) -> Uncertainty | None:
        """Over chunks as scores are: their mean, or the highest."""
        chunks = [output.uncertainty.numbers for output in outputs if output.uncertainty is not None]
        return Uncertainty(*_over_chunks(AGGREGATIONS[self._aggregation], chunks, route)) if chunks else None

    def _entities(
        self, document: Document, route: Route, outputs: Sequence[TokenLabels], text: str
    ) -> tuple[Entity, ...]:
        lead = len(document.frame.prefix)
        runs = [
            run
            for piece, output in zip(route.pieces, outputs, strict=True)
            for run in runs_of(output, self._info.labels, piece.span[0], lead, piece.span[1] - piece.span[0])
        ]
        united = union(runs)
        self.check_entities(len(united), route.tier)
        return tuple(locate(united, document.starts, document.ends, text))


def _over_chunks(aggregation: Aggregation, chunks: Sequence[Scores], route: Route) -> Scores:
    return chunks[0] if len(chunks) == 1 else aggregation(chunks, new_tokens([piece.span for piece in route.pieces]))
