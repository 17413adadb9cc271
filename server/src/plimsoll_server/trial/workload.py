"""The sequences that are sent: drawn by a seed, so that every trial sends the same and no two of them are alike."""

from __future__ import annotations

import random
from collections.abc import Sequence

from plimsoll_server.trial.subject import Subject

_SPECIAL_TOKENS = 5
"""Ids below are commonly reserved."""

Request = Sequence[Sequence[int]]


class Workload:
    def __init__(self, subject: Subject, seed: int = 0) -> None:
        self._subject = subject
        self._draw = random.Random(seed)  # noqa: S311  no secret

    def full(self, sequences: int) -> Request:
        """Each as long as the window: the most that a request of so many can ask for."""
        return [self._sequence(self._subject.window) for _ in range(sequences)]

    def mixed(self) -> Request:
        """One sequence, anything from short to full."""
        return [self._sequence(self._draw.randint(min(8, self._subject.window), self._subject.window))]

    def _sequence(self, length: int) -> list[int]:
        return [self._draw.randrange(_SPECIAL_TOKENS, self._subject.vocabulary) for _ in range(length)]
