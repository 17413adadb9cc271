"""Entities of a text: runs of token labels, with the characters they cover in the original text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from plimsoll_server.types import TokenLabels

_OUTSIDE = "O"
_ENDS = {"E": "E", "L": "E", "S": "S", "U": "S"}
"""How BIOES and BILOU call the last token of an entity, and one that is all of it."""


@dataclass(frozen=True, slots=True)
class Entity:
    label: str
    score: float
    """Mean probability of its tokens."""
    start: int
    end: int
    """Characters [start, end) of the original text."""


@dataclass(frozen=True, slots=True)
class Run:
    """An entity while it is still tied to tokens of the document: [first, last)."""

    label: str
    score: float
    first: int
    last: int
    continues: bool = False
    """It began with an inside tag, so it may be the rest of an entity that a chunk's border cut."""
    ended: bool = False
    """Its last token is tagged as the entity's last: nothing continues it."""


def runs_of(output: TokenLabels, names: tuple[str, ...], first_token: int, lead: int, length: int) -> list[Run]:
    """The entities in one sequence: `lead` special tokens, then `length` tokens of the document from `first_token`."""
    runs: list[Run] = []
    tags = _tags(names)
    for place in range(length):
        tag, label = tags[output.labels[lead + place]]
        if label == _OUTSIDE:
            continue
        token, score = first_token + place, output.scores[lead + place]
        within, ended = tag in ("I", "E"), tag in ("E", "S")
        if runs and runs[-1].last == token and runs[-1].label == label and within and not runs[-1].ended:
            runs[-1] = replace(_extended(runs[-1], score), ended=ended)
        else:
            runs.append(Run(label, score, token, token + 1, continues=within, ended=ended))
    return runs


def tokens_within(output: TokenLabels, names: tuple[str, ...]) -> int:
    """Tokens that belong to an entity: there are no more runs than that."""
    outside = [label == _OUTSIDE for _, label in _tags(names)]
    return sum(not outside[label] for label in output.labels)


def entity_labels(names: tuple[str, ...]) -> frozenset[str]:
    """The labels that entities of a model with labels of these names can have."""
    return frozenset(label for _, label in _tags(names) if label != _OUTSIDE)


def union(runs: Iterable[Run]) -> list[Run]:
    """The runs of overlapping chunks as those of the text: what any chunk found is kept, once.

    Runs of one label that overlap are one entity seen from two chunks, or one that a border cut; so is one that
    continues exactly where another ends.
    """
    merged: list[Run] = []
    newest: dict[str, int] = {}
    for run in sorted(runs, key=lambda run: (run.first, -run.last)):
        index = newest.get(run.label)
        known = None if index is None else merged[index]
        if index is not None and known is not None and _same_entity(known, run):
            longer = max(known, run, key=lambda each: each.last)
            merged[index] = replace(known, last=longer.last, ended=longer.ended, score=max(known.score, run.score))
        else:
            newest[run.label] = len(merged)
            merged.append(run)
    return merged


def locate(runs: Iterable[Run], starts: Sequence[int], ends: Sequence[int], text: str) -> list[Entity]:
    """The runs as entities of `text`, of which each token covers the characters [start, end). Many tokenizers count the
    space before a word as part of it: it is left out."""
    entities = []
    for run in runs:
        start, end = starts[run.first], ends[run.last - 1]
        covered = text[start:end]
        start += len(covered) - len(covered.lstrip())
        entities.append(Entity(run.label, run.score, start, start + len(covered.strip())))
    return entities


def _extended(run: Run, score: float) -> Run:
    tokens = run.last - run.first
    return replace(run, last=run.last + 1, score=(run.score * tokens + score) / (tokens + 1))


def _same_entity(known: Run, run: Run) -> bool:
    return run.first < known.last or (run.first == known.last and run.continues and not known.ended)


@lru_cache(maxsize=8)
def _tags(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Tag and label of each name: B-PER, I-PER, E-PER or L-PER, S-PER or U-PER, or PER alone, which is read as inside.

    Only beside a B-PER or I-PER is E-PER the end of a PER: a label may be called S-Bahn.
    """
    tagged = {name[2:] for name in names if name[:2] in ("B-", "I-")}

    def split(name: str) -> tuple[str, str]:
        if name[:2] in ("B-", "I-"):
            return name[0], name[2:]
        if name[1:2] == "-" and name[0] in _ENDS and name[2:] in tagged:
            return _ENDS[name[0]], name[2:]
        return "I", name

    return tuple(map(split, names))
