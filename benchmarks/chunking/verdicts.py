"""How right the answers of one way of reading are."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chunking.texts import ATTACK, RISKS, TOPICS, Text
from plimsoll_server.config import Aggregation
from plimsoll_server.scheduler.answers import Answer


@dataclass(frozen=True)
class Reading:
    text: Text
    answer: Answer
    borders: frozenset[int]
    """Characters of the text at which a chunk begins or ends."""
    cpu_seconds: float


def _topics(readings: Sequence[Reading]) -> dict[str, Any]:
    """The likeliest label is the text's."""
    likeliest = [TOPICS[max(range(len(TOPICS)), key=reading.answer.scores.__getitem__)] for reading in readings]
    return {"right": sum(label == reading.text.label for label, reading in zip(likeliest, readings, strict=True))}


def _risks(readings: Sequence[Reading]) -> dict[str, Any]:
    """By the attack's score alone: the maximum of the other label says that some chunk is harmless. `separated`: how
    often a text with an attack scores above one without, the area under the ROC curve."""
    scores = [(reading.answer.scores[RISKS.index(ATTACK)], reading.text.label == ATTACK) for reading in readings]
    wins = [(one > other) + (one == other) / 2 for one, bad in scores if bad for other, worse in scores if not worse]
    return {"right": sum((score > 0.5) == bad for score, bad in scores), "separated": round(statistics.fmean(wins), 3)}


def _entities(readings: Sequence[Reading]) -> dict[str, Any]:
    """Right is what has the label and the very characters of one that is there. `cut`: those with a border inside."""
    found = right = known = cut = cut_right = 0
    for reading in readings:
        given = {(entity.label, entity.start, entity.end) for entity in reading.answer.entities}
        there = reading.text.entities()
        at_borders = {entity for entity in there if any(entity[1] < border < entity[2] for border in reading.borders)}
        found += len(reading.answer.entities)
        known, right = known + len(there), right + len(given & there)
        cut, cut_right = cut + len(at_borders), cut_right + len(given & at_borders)
    return {
        "entities": known,
        "precision": round(right / found, 4) if found else None,
        "recall": round(right / known, 4),
        "f1": round(2 * right / (found + known), 4),
        "cut": cut,
        "cut_right": cut_right,
    }


VERDICTS: Mapping[Aggregation, Callable[[Sequence[Reading]], dict[str, Any]]] = {
    "Mean": _topics,
    "Max": _risks,
    "Union": _entities,
}
