"""What the services are asked for."""

from __future__ import annotations

from dataclasses import dataclass

from serving.shapes import BASE, PERIOD, Shape
from serving.texts import Lengths


@dataclass(frozen=True, slots=True)
class Workload:
    shape: Shape
    lengths: Lengths
    at_once: int
    count: int
    """Texts in each round."""
    rounds: int = 3

    def __str__(self) -> str:
        return f"{self.shape.layers} layers, {self.lengths} tokens, {self.at_once} at once"


MIXED, SHORT = Lengths(32, 1_024), Lengths(64, 128)

WHOLE_MODEL = (Workload(BASE, MIXED, 8, 16, rounds=5), Workload(BASE, SHORT, 8, 48, rounds=5))
"""What the promises are about."""


def _uniform(tokens: int, at_once: int, count: int, rounds: int = 3) -> Workload:
    return Workload(PERIOD, Lengths(tokens, tokens), at_once, count, rounds)


BREADTH = (
    _uniform(128, 1, 32),
    _uniform(128, 8, 64),
    _uniform(128, 32, 64),
    _uniform(512, 1, 8),
    _uniform(512, 8, 16),
    _uniform(512, 32, 32),
    _uniform(2_048, 1, 3),
    _uniform(2_048, 8, 16),
    _uniform(8_192, 1, 1),
    Workload(PERIOD, MIXED, 1, 12),
    Workload(PERIOD, MIXED, 8, 24),
    Workload(PERIOD, MIXED, 32, 32),
)
"""Three layers: the services differ as they do with 22, in a seventh of the time."""

CROWDS = (
    _uniform(2_048, 32, 32, rounds=1),
    _uniform(8_192, 8, 8, rounds=1),
    _uniform(8_192, 32, 32, rounds=1),
)
"""Many long texts at once: each service takes minutes of a round."""

QUICK = (Workload(PERIOD, MIXED, 8, 16), Workload(PERIOD, SHORT, 8, 32))
