"""How long each phase of the start took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

PHASES = ("fetch", "verify", "import", "load", "self_test", "calibrate")
"""In the order in which they happen. fetch: find the model, from the hub where it is there. verify: its checksums.
import: torch and transformers. load: the weights, to the device. self_test: the first forward passes. calibrate: what
a token takes."""


class Phases:
    """Seconds by phase, of those that are over."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[phase] = time.monotonic() - began

    def add_longest(self, others: Mapping[str, float]) -> None:
        """`others`: of a process beside this one. What happens side by side takes as long as the slowest."""
        for phase, seconds in others.items():
            self.seconds[phase] = max(seconds, self.seconds.get(phase, 0.0))
