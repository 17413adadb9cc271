"""An answer as bytes that another pod can read, and that nobody can make it trip over."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.entities import Entity, entity_labels
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.types import Activation, ModelInfo, Uncertainty

_DOUBLE_BYTES = 8
_MAX_BYTES = 1 << 20
_SMALLEST_ENTITY_BYTES = 13
"""So that what is too large is not written first."""
_LARGEST = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
"""Of the numbers that a model gives: they come in float32 at most."""

_Count = Annotated[int, Field(ge=0, le=1 << 31)]
"""Of tokens or characters; no text has more."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    tier: str
    tokens: _Count
    chunks: _Count
    truncated: _Count
    scores: tuple[float, ...] = ()
    entities: tuple[tuple[str, float, _Count, _Count], ...] = ()
    uncertainty: tuple[float, float] | None = None
    embedding: str = ""
    """Its numbers as little-endian doubles, in base64."""


class Codec:
    """For the answers of one model: what was written for another is not read."""

    def __init__(self, tiers: Sequence[Tier], info: ModelInfo) -> None:
        self._tiers: Mapping[str, Tier] = {tier.name: tier for tier in tiers}
        self._scores = len(info.labels) if info.task == "text-classification" else 0
        self._probable = info.activation in (Activation.SOFTMAX, Activation.SIGMOID)
        self._uncertain = info.uncertain
        self._entity_labels = entity_labels(info.labels) if info.task == "token-classification" else frozenset()
        self._width = info.width if info.task == "feature-extraction" else 0

    def encode(self, answer: Answer) -> bytes | None:
        """None for one that is too large to be handed about."""
        if len(answer.entities) * _SMALLEST_ENTITY_BYTES > _MAX_BYTES:
            return None
        stored = _Stored(
            tier=answer.tier.name,
            tokens=answer.tokens,
            chunks=answer.chunks,
            truncated=answer.truncated_tokens,
            scores=answer.scores,
            uncertainty=None if answer.uncertainty is None else answer.uncertainty.numbers,
            entities=tuple((entity.label, entity.score, entity.start, entity.end) for entity in answer.entities),
            embedding=base64.b64encode(struct.pack(f"<{len(answer.embedding)}d", *answer.embedding)).decode(),
        )
        encoded = stored.model_dump_json(exclude_defaults=True).encode()
        return encoded if len(encoded) <= _MAX_BYTES else None

    def decode(self, encoded: bytes, *, raw: bool = False) -> Answer | None:
        """None for anything that `encode` would not have written. `raw`: logits are expected in the place of scores."""
        if len(encoded) > _MAX_BYTES:
            return None
        try:
            return self._answer(_Stored.model_validate_json(encoded), raw=raw)
        except (ValidationError, ValueError, KeyError, struct.error):
            return None

    def _answer(self, stored: _Stored, *, raw: bool) -> Answer:
        packed = base64.b64decode(stored.embedding, validate=True)
        embedding = struct.unpack(f"<{len(packed) // _DOUBLE_BYTES}d", packed)
        entities = tuple(Entity(*entity) for entity in stored.entities)
        scores_are_probable = self._probable and not raw
        if not (
            len(stored.scores) == self._scores
            and (_within(stored.scores, 0.0, 1.0) if scores_are_probable else _finite(stored.scores))
            and (stored.uncertainty is not None) is self._uncertain
            and _within(stored.uncertainty or (), 0.0, _LARGEST)
            and len(embedding) == self._width
            and _finite(embedding)
            and all(self._possible(entity) for entity in entities)
        ):
            raise ValueError
        return Answer(
            tier=self._tiers[stored.tier],
            tokens=stored.tokens,
            chunks=stored.chunks,
            truncated_tokens=stored.truncated,
            scores=stored.scores,
            entities=entities,
            embedding=embedding,
            uncertainty=None if stored.uncertainty is None else Uncertainty(*stored.uncertainty),
            remembered=True,
        )

    def _possible(self, entity: Entity) -> bool:
        return entity.label in self._entity_labels and _within((entity.score,), 0.0, 1.0) and entity.start <= entity.end


def _finite(numbers: Iterable[float]) -> bool:
    return _within(numbers, -_LARGEST, _LARGEST)


def _within(numbers: Iterable[float], lowest: float, highest: float) -> bool:
    """False for what is no number."""
    return all(lowest <= number <= highest for number in numbers)
