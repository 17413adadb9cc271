"""The encoder on a GPU: beside the card's own matrix products, and one attention beside the other."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.contestants import sequence
from serving.shapes import BASE, Shape

_SIDE = 8_192
"""Of the square matrices whose product tells what the card can do."""
_WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Pack:
    """One forward pass of so many sequences, in bfloat16."""

    attention: str
    tokens: int
    sequences: int
    seconds: float | None
    """None where memory ran out."""
    tflops: float | None
    share: float | None
    """Of the rate of matrix products."""


class Bench:
    """The same weights with each attention; all times are of whole passes, with the device waited for."""

    def __init__(self, folder: Path, rounds: int, shape: Shape = BASE) -> None:
        self._folder = folder
        self._rounds = rounds
        self._shape = shape
        self._models: dict[str, Any] = {}
        self.matmul = matmul_rate(rounds)
        """FLOP/s of bfloat16 matrix products."""

    def pack(self, wanted: str, tokens: int, sequences: int) -> Pack:
        """`wanted`: auto, sdpa or eager."""
        import torch

        model = self._model(wanted)
        ids = sequence(tokens)
        try:
            seconds = timed(lambda: model.forward([ids] * sequences), self._rounds)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return Pack(model.info.attention, tokens, sequences, None, None, None)
        rate = sequences * self._shape.flops(tokens) / seconds
        return Pack(
            model.info.attention,
            tokens,
            sequences,
            round(seconds, 6),
            round(rate / 1e12, 2),
            round(rate / self.matmul, 4),
        )

    def _model(self, wanted: str) -> Any:
        from plimsoll_server.config import ModelConfig
        from plimsoll_server.engine.device import choose_placement
        from plimsoll_server.models.load import load_model

        if wanted not in self._models:
            config = ModelConfig.model_validate(
                {"location": str(self._folder), "dtype": "bfloat16", "attention": wanted}
            )
            self._models[wanted] = load_model(config, choose_placement(config))
        return self._models[wanted]


def matmul_rate(rounds: int) -> float:
    """FLOP/s of one large product in bfloat16: two operations for each of side³ pairs."""
    import torch

    one, other = (torch.randn(_SIDE, _SIDE, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * _SIDE**3 / timed(lambda: one @ other, 4 * rounds)


def timed(work: Callable[[], object], rounds: int) -> float:
    """Median of its seconds, by the device's own clock."""
    import torch

    cuda: Any = torch.cuda
    for _ in range(_WARM_UP):
        work()
    found = []
    for _ in range(rounds):
        begin, end = (cuda.Event(enable_timing=True) for _ in range(2))
        cuda.synchronize()
        begin.record()
        work()
        end.record()
        cuda.synchronize()
        found.append(float(begin.elapsed_time(end)) / 1_000)
    return statistics.median(found)


def curve(bench: Bench, lengths: Sequence[int], tokens_together: int) -> list[tuple[Pack, Pack]]:
    """Each length with the best attention and with eager: as many sequences as `tokens_together` hold, at least one."""
    pairs = []
    for tokens in lengths:
        sequences = max(1, tokens_together // tokens)
        pairs.append((bench.pack("auto", tokens, sequences), bench.pack("eager", tokens, sequences)))
    return pairs
