"""What is read back from a store that anybody may have written to: an answer that was written, or none."""

from __future__ import annotations

import base64
import json
import math
import struct
from dataclasses import replace
from typing import Any

import pytest

from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.cache.codec import Codec
from plimsoll_server.scheduler.entities import Entity
from plimsoll_server.types import Activation, ModelInfo
from scheduler_builders import INFO, TIERS

LABELS = replace(INFO, labels=("sea", "land"))
NUMBERS = replace(LABELS, activation=Activation.NONE)
ENTITIES = replace(INFO, task="token-classification", labels=("O", "B-PER", "I-PER", "E-PER", "LOC"))
EMBEDDINGS = replace(INFO, task="feature-extraction", labels=(), width=3)
READ: dict[str, Any] = {"tier": TIERS[0], "tokens": 5, "chunks": 1, "truncated_tokens": 0}


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}d", *numbers)).decode()


def written(**fields: Any) -> bytes:
    return json.dumps({"tier": "short", "tokens": 5, "chunks": 1, "truncated": 0, **fields}).encode()


@pytest.mark.parametrize(
    ("model", "raw", "parts"),
    [
        pytest.param(LABELS, False, {"scores": (0.0, 1.0)}, id="scores"),
        pytest.param(LABELS, True, {"scores": (-7.5, 3e30)}, id="logits"),
        pytest.param(NUMBERS, False, {"scores": (-7.5, 12.0)}, id="the numbers of a regression"),
        pytest.param(
            ENTITIES, False, {"entities": (Entity("PER", 0.5, 0, 4), Entity("LOC", 1.0, 9, 9))}, id="entities"
        ),
        pytest.param(ENTITIES, False, {}, id="no entities"),
        pytest.param(EMBEDDINGS, False, {"embedding": (0.1, -1e-30, 1 / 3)}, id="an embedding"),
    ],
)
def test_what_was_written_is_read(model: ModelInfo, raw: bool, parts: dict[str, Any]) -> None:
    codec = Codec(TIERS, model)
    answer = Answer(**READ, **parts)
    encoded = codec.encode(answer)
    assert encoded is not None
    assert codec.decode(encoded, raw=raw) == answer


SOUND = {"scores": [0.5, 0.5]}


@pytest.mark.parametrize(
    ("model", "raw", "content"),
    [
        pytest.param(LABELS, False, b"[]", id="another shape"),
        pytest.param(LABELS, False, b"[" * 100_000, id="nested without end"),
        pytest.param(LABELS, False, written(), id="no scores"),
        pytest.param(LABELS, False, written(scores=[0.5]), id="too few scores"),
        pytest.param(LABELS, False, written(scores=[0.5, 0.3, 0.2]), id="too many scores"),
        pytest.param(LABELS, False, written(scores=[7, -3]), id="scores that are none"),
        pytest.param(LABELS, False, written(scores=[1e308, 1e308]), id="huge scores"),
        pytest.param(LABELS, False, written(scores=[0.5, math.nan]), id="a score that is no number"),
        pytest.param(LABELS, True, written(scores=[1e308, 0.0]), id="a logit that no model gives"),
        pytest.param(NUMBERS, False, written(scores=[1e308, 0.0]), id="a number that no model gives"),
        pytest.param(LABELS, False, written(**SOUND, embedding=packed(1.0)), id="an embedding beside scores"),
        pytest.param(LABELS, False, written(embedding=packed(1.0, 1.0)), id="an embedding in the place of scores"),
        pytest.param(LABELS, False, written(**SOUND, entities=[["sea", 0.5, 0, 1]]), id="entities beside scores"),
        pytest.param(LABELS, False, written(**SOUND, tier="huge"), id="a tier that is none"),
        pytest.param(LABELS, False, written(**SOUND, tokens=-5), id="fewer tokens than none"),
        pytest.param(LABELS, False, written(**SOUND, chunks=-1), id="fewer chunks than none"),
        pytest.param(LABELS, False, written(**SOUND, truncated=-1), id="fewer left out than none"),
        pytest.param(LABELS, False, written(**SOUND, tokens=10**30), id="more tokens than any text has"),
        pytest.param(LABELS, False, written(**SOUND, tokens="5"), id="a word for a number"),
        pytest.param(LABELS, False, written(**SOUND, more=1), id="a field that nobody wrote"),
        pytest.param(ENTITIES, False, written(scores=[0.5] * 4), id="scores in the place of entities"),
        pytest.param(ENTITIES, False, written(entities=[["cat", 0.5, 0, 1]]), id="an unknown label"),
        pytest.param(ENTITIES, False, written(entities=[["B-PER", 0.5, 0, 1]]), id="a tag in the place of a label"),
        pytest.param(ENTITIES, False, written(entities=[["PER", 1.5, 0, 1]]), id="an entity's score that is none"),
        pytest.param(ENTITIES, False, written(entities=[["PER", 0.5, -9, 1]]), id="before the text"),
        pytest.param(ENTITIES, False, written(entities=[["PER", 0.5, 5, 4]]), id="an end before the start"),
        pytest.param(ENTITIES, False, written(entities=[["PER", 0.5, 0, 10**12]]), id="behind any text"),
        pytest.param(EMBEDDINGS, False, written(), id="no embedding"),
        pytest.param(EMBEDDINGS, False, written(embedding="AAAA"), id="half a number"),
        pytest.param(EMBEDDINGS, False, written(embedding=packed(1.0)), id="a narrow embedding"),
        pytest.param(EMBEDDINGS, False, written(embedding=packed(1.0, math.nan, 0.0)), id="not a number"),
        pytest.param(EMBEDDINGS, False, written(embedding=packed(1.0, math.inf, 0.0)), id="infinite"),
        pytest.param(EMBEDDINGS, False, written(embedding=packed(1e300, 1.0, 0.0)), id="a number too large"),
        pytest.param(EMBEDDINGS, False, written(embedding=packed(1.0, 1.0, 1.0), scores=[0.5]), id="scores beside it"),
    ],
)
def test_what_nobody_wrote_is_no_answer(model: ModelInfo, raw: bool, content: bytes) -> None:
    assert Codec(TIERS, model).decode(content, raw=raw) is None
