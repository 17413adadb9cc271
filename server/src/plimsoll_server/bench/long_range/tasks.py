"""Texts of a given length in words, each with its answer, which lies in all of the text or anywhere in it.

After the tasks of Long Range Arena (Tay et al. 2020, list operations) and of associative recall (Arora et al. 2023).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

VALUES = tuple(f"value{number}" for number in range(8))
_KEYS = tuple(f"key{number}" for number in range(64))
_FILLER = tuple(f"word{number}" for number in range(256))
_DIGITS = tuple(map(str, range(10)))
_MOST_ARGUMENTS = 8
_DEEPEST = 8
LEAST_WORDS = 32


@dataclass(frozen=True, slots=True)
class Example:
    words: tuple[str, ...]
    label: str


def retrieval(length: int, draw: random.Random) -> Example:
    """A question for one of eight pairs of key and value, which lie anywhere among words that mean nothing."""
    keys = draw.sample(_KEYS, 8)
    values = [draw.choice(VALUES) for _ in keys]
    wanted = draw.randrange(len(keys))
    words = [draw.choice(_FILLER) for _ in range(length - 2)]
    # Pairs never overlap: each has two places of its own.
    places = draw.sample(range((length - 2) // 2), len(keys))
    for place, key, value in zip(places, keys, values, strict=True):
        words[2 * place : 2 * place + 2] = [key, value]
    return Example(("find", keys[wanted], *words), values[wanted])


def copy(length: int, draw: random.Random) -> Example:
    """Whether the second half says what the first one says; where it does not, one word differs."""
    half = [draw.choice(_FILLER) for _ in range((length - 1) // 2)]
    again = list(half)
    alike = draw.random() < 0.5
    if not alike:
        place = draw.randrange(len(again))
        again[place] = draw.choice([word for word in _FILLER if word != again[place]])
    return Example((*half, "again", *again), "alike" if alike else "apart")


_OPERATIONS: Mapping[str, Callable[[Sequence[int]], int]] = {
    "MAX": max,
    "MIN": min,
    "MED": lambda numbers: sorted(numbers)[len(numbers) // 2],
    "SUM": lambda numbers: sum(numbers) % 10,
}


def list_operations(length: int, draw: random.Random) -> Example:
    """Nested MAX, MIN, MED and SUM (modulo ten) of digits: the answer is a digit."""
    words, value = _list(length, draw, depth=0)
    return Example(tuple(words), _DIGITS[value])


def _list(room: int, draw: random.Random, depth: int) -> tuple[list[str], int]:
    """At most `room` words, and at the top as many as that: what is left over is filled with digits."""
    # A sum at the top, so that no digit is likelier than the others: of many numbers the greatest is nine.
    name = draw.choice(tuple(_OPERATIONS)) if depth else "SUM"
    words, numbers = [f"[{name}"], list[int]()
    left = room - 2
    while left > 0 and (depth == 0 or len(numbers) < _MOST_ARGUMENTS):
        if left >= 5 and depth < _DEEPEST and draw.random() < 0.4:
            inner, value = _list(draw.randint(5, left), draw, depth + 1)
            words += inner
        else:
            value = draw.randrange(10)
            inner = [_DIGITS[value]]
            words += inner
        numbers.append(value)
        left -= len(inner)
    return [*words, "]"], _OPERATIONS[name](numbers)


@dataclass(frozen=True, slots=True)
class Task:
    make: Callable[[int, random.Random], Example]
    labels: tuple[str, ...]

    def examples(self, count: int, length: int, seed: int) -> Iterator[Example]:
        """`count` of `length` words, one less where the task wants halves; the same for the same seed."""
        if length < LEAST_WORDS:
            raise ValueError(f"expected texts of {LEAST_WORDS} words or more, found {length}")
        draw = random.Random(f"{self.make.__name__} {length} {seed}")  # noqa: S311 - texts, no secrets
        return (self.make(length, draw) for _ in range(count))


TASKS: Mapping[str, Task] = {
    "retrieval": Task(retrieval, VALUES),
    "copy": Task(copy, ("alike", "apart")),
    "list operations": Task(list_operations, _DIGITS),
}
