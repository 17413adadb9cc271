"""An answer as bytes that another pod can read, and that nobody can make it trip over."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.entities import Entity
from plimsoll_server.scheduler.tiers import Tier

_DOUBLE_BYTES = 8
_MAX_BYTES = 1 << 20


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    tier: str
    tokens: int
    chunks: int
    truncated: int
    scores: tuple[float, ...] = ()
    entities: tuple[tuple[str, float, int, int], ...] = ()
    embedding: str = ""
    """Its numbers as little-endian doubles, in base64."""


class Codec:
    """For the answers of one model: what was written for another is not read."""

    def __init__(self, tiers: Sequence[Tier], labels: Sequence[str]) -> None:
        self._tiers: Mapping[str, Tier] = {tier.name: tier for tier in tiers}
        self._labels = frozenset(labels)
        self._scores = {0, len(labels)}

    def encode(self, answer: Answer) -> bytes | None:
        """None for one that is too large to be handed about."""
        stored = _Stored(
            tier=answer.tier.name,
            tokens=answer.tokens,
            chunks=answer.chunks,
            truncated=answer.truncated_tokens,
            scores=answer.scores,
            entities=tuple((entity.label, entity.score, entity.start, entity.end) for entity in answer.entities),
            embedding=base64.b64encode(struct.pack(f"<{len(answer.embedding)}d", *answer.embedding)).decode(),
        )
        encoded = stored.model_dump_json(exclude_defaults=True).encode()
        return encoded if len(encoded) <= _MAX_BYTES else None

    def decode(self, encoded: bytes) -> Answer | None:
        """None for anything that `encode` would not have written."""
        if len(encoded) > _MAX_BYTES:
            return None
        try:
            return self._answer(_Stored.model_validate_json(encoded))
        except (ValidationError, ValueError, KeyError, struct.error):
            return None

    def _answer(self, stored: _Stored) -> Answer:
        if len(stored.scores) not in self._scores or not {label for label, *_ in stored.entities} <= self._labels:
            raise ValueError
        packed = base64.b64decode(stored.embedding, validate=True)
        return Answer(
            tier=self._tiers[stored.tier],
            tokens=stored.tokens,
            chunks=stored.chunks,
            truncated_tokens=stored.truncated,
            scores=stored.scores,
            entities=tuple(Entity(*entity) for entity in stored.entities),
            embedding=struct.unpack(f"<{len(packed) // _DOUBLE_BYTES}d", packed),
            remembered=True,
        )
