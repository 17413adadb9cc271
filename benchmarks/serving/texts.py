"""Texts of so many tokens, the same for everyone and each one new to a cache."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from serving.folders import words
from serving.shapes import Shape

_FRAME = 2
"""Tokens that the tokenizer adds: one before, one after."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Of the texts of a workload, in tokens, special ones included; evenly spread from least to most."""

    least: int
    most: int

    def __str__(self) -> str:
        return f"{self.least:,}" if self.least == self.most else f"{self.least:,} to {self.most:,}"

    @property
    def mean(self) -> float:
        return (self.least + self.most) / 2


def texts(shape: Shape, lengths: Lengths, count: int, seed: int) -> list[str]:
    """`count` texts in random order. Their lengths are spread evenly, so that few of them are a fair draw as well."""
    draw = random.Random(f"{lengths} {count} {seed}")  # noqa: S311
    vocabulary = words(shape)
    span = lengths.most - lengths.least
    sizes = [lengths.least + round(span * (place + 0.5) / count) for place in range(count)]
    draw.shuffle(sizes)
    return [_text(draw, vocabulary, size - _FRAME) for size in sizes]


def _text(draw: random.Random, vocabulary: Sequence[str], tokens: int) -> str:
    return " ".join(draw.choices(vocabulary, k=tokens))
