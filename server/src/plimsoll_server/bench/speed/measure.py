"""A model and texts of random tokens, one batch after the other."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from plimsoll_server.engine.memory import free_memory
from plimsoll_server.engine.meter import CudaMeter, Meter, ProcessMeter
from plimsoll_server.engine.threads import threads_for
from plimsoll_server.models.family import Model
from plimsoll_server.trial.figures import Latency, latency
from plimsoll_server.types import Tokens

_WARM_UPS = 3


@dataclass(frozen=True, slots=True)
class Throughput:
    """Of batches of one size."""

    batch: int
    batches: int
    texts_per_second: float
    tokens_per_second: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Of batches of one size."""

    batch: int
    growth: int
    """Bytes by which memory in use was larger, at its highest, while the batch ran."""


class Runner:
    """Texts are drawn anew for each batch, the same for the same seed."""

    def __init__(self, model: Model, tokens: int, tell: Callable[[str], None], seed: int = 0) -> None:
        """Raises ValueError for texts that the model cannot read."""
        if not 1 <= tokens <= model.info.window:
            raise ValueError(f"expected texts of 1 to {model.info.window} tokens, the model's window, found {tokens}")
        self._model, self._tokens, self._tell = model, tokens, tell
        self._draw = random.Random(seed)  # noqa: S311 - tokens, no secrets

    def latency(self, requests: int) -> Latency:
        """Of one text after the other."""
        self._warm_up(1)
        self._tell(f"{requests} texts, one after the other")
        return latency([self._timed(1) for _ in range(requests)])

    def throughput(self, batch: int, batches: int) -> Throughput:
        self._warm_up(batch)
        self._tell(f"{batches} batches of {batch}")
        texts = batch * batches / sum(self._timed(batch) for _ in range(batches))
        return Throughput(batch, batches, round(texts, 2), round(texts * self._tokens))

    def memory(self, batch: int) -> Memory:
        """Raises OSError where nobody tells how much memory is in use."""
        device = torch.device(self._model.info.device)
        meter: Meter = CudaMeter(device) if device.type == "cuda" else ProcessMeter()
        self._timed(batch)
        free_memory(device)
        self._tell(f"a batch of {batch}")
        return Memory(batch, meter.growth(lambda: self._run(self._drawn(batch))))

    def _warm_up(self, batch: int) -> None:
        for _ in range(_WARM_UPS):
            self._timed(batch)

    def _timed(self, batch: int) -> float:
        texts = self._drawn(batch)
        began = time.perf_counter()
        self._run(texts)
        return time.perf_counter() - began

    def _run(self, texts: Sequence[Tokens]) -> None:
        """Outputs are plain numbers, so a GPU is done when this is."""
        with threads_for(sum(map(len, texts)), self._model.info.width):
            self._model.forward(texts)

    def _drawn(self, batch: int) -> list[Tokens]:
        last = self._model.info.vocabulary - 1
        return [[self._draw.randint(0, last) for _ in range(self._tokens)] for _ in range(batch)]
