"""Modules set apart for the examination, and the documents that both sides are cut into."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from plimsoll_server.train.demo.corpus import Module

HELD_OUT_SHARE = 0.25
_OVERSHOOT = 1.15
"""A module may take a topic's share of held-out text this far over; one that is larger is trained on."""


class Apart(StrEnum):
    """What is never on both sides of the split."""

    MODULE = "module"
    PACKAGE = "package"


@dataclass(frozen=True)
class Split:
    training: tuple[Module, ...]
    held_out: tuple[Module, ...]


@dataclass(frozen=True)
class Document:
    """A text and the topic that its module is listed under."""

    name: str
    topic: str
    text: str


def split(modules: Sequence[Module], apart: Apart, seed: int) -> Split:
    """About a quarter of each topic's text is held out.

    The order of choice is a hash of the name, so that a module of two Python versions mostly falls on the same side.
    """
    held_out: set[str] = set()
    for topic in sorted({module.topic for module in modules}):
        held_out |= _held_out([module for module in modules if module.topic == topic], apart, seed)
    return Split(
        training=tuple(module for module in modules if module.name not in held_out),
        held_out=tuple(module for module in modules if module.name in held_out),
    )


def _held_out(of_topic: list[Module], apart: Apart, seed: int) -> set[str]:
    groups: dict[str, list[Module]] = {}
    for module in of_topic:
        groups.setdefault(module.name if apart is Apart.MODULE else module.package, []).append(module)
    most = HELD_OUT_SHARE * _OVERSHOOT * sum(module.characters for module in of_topic)
    chosen: set[str] = set()
    taken = 0
    for name in sorted(groups, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest()):
        size = sum(module.characters for module in groups[name])
        if taken + size <= most:
            chosen.update(module.name for module in groups[name])
            taken += size
    return chosen


def documents(modules: Iterable[Module], characters: int) -> list[Document]:
    """Each module's docstrings in order, cut after the docstring that completes `characters`.

    What is left at a module's end is a document too when it has at least a third of that.
    """
    return [
        Document(module.name, module.topic, text) for module in modules for text in _runs(module.docstrings, characters)
    ]


def joined_documents(modules: Iterable[Module], characters: int) -> list[Document]:
    """Longer than one module may be: the docstrings of a topic's modules, one after the other. No shorter rest."""
    by_topic = groupby(sorted(modules, key=lambda module: (module.topic, module.name)), lambda module: module.topic)
    return [
        Document(f"{topic}, joined", topic, text)
        for topic, group in by_topic
        for text in _runs([text for module in group for text in module.docstrings], characters)
        if len(text) >= characters
    ]


def _runs(docstrings: Sequence[str], characters: int) -> Iterator[str]:
    run: list[str] = []
    for text in docstrings:
        run.append(text)
        if sum(map(len, run)) >= characters:
            yield "\n\n".join(run)
            run = []
    if sum(map(len, run)) >= characters / 3:
        yield "\n\n".join(run)
