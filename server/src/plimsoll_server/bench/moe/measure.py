"""All ways on the same rows, in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from plimsoll_server.bench.moe.shapes import LayerShape
from plimsoll_server.bench.moe.ways import DENSE, EXPERT_LOOP, OURS, TOKEN_LOOP, Way, layer, ways
from plimsoll_server.models.experts import Routing

LOOPED_TOKENS = 1024
"""Of the loop over tokens, which takes minutes for all: its time is by the token, whatever their number."""
_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2}
"""Of the largest number of an output: beyond, two ways did not compute the same."""
_WARM_UPS = 1


class DisagreementError(Exception):
    """Two ways gave other numbers."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of the rounds' pairs: how many times as long another way took for a token."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class LayerFigures:
    shape: str
    inner: int
    tokens: int
    dtype: str
    threads: int
    rounds: int
    seconds: dict[str, float]
    """Medians, by way; of the loop over tokens, of as many tokens as `looped_tokens`."""
    looped_tokens: int
    gflops: float
    """Per second, of the server's own way."""
    tokens_per_second: float
    p95: float
    """Seconds, of the server's own way."""
    p99: float
    ahead: dict[str, Ratio]
    """By baseline; "transformers" is the fastest of its settings here."""
    best_of_transformers: str


@torch.inference_mode()
def measure(
    shape: LayerShape, rounds: int, dtype: torch.dtype, device: torch.device, tell: Callable[[str], None]
) -> LayerFigures:
    """Raises DisagreementError."""
    router, experts = layer(shape, dtype, device)
    rows = torch.randn(shape.tokens, shape.width, generator=torch.Generator().manual_seed(1)).to(device, dtype)
    routing = router(rows)
    chosen = ways(shape, experts)
    some = slice(min(LOOPED_TOKENS, shape.tokens))
    part = Routing(routing.experts[some], routing.shares[some], routing.probabilities[some])
    work: dict[str, Callable[[], Tensor]] = {name: partial(way, rows, routing) for name, way in chosen.items()}
    work[TOKEN_LOOP] = partial(chosen[TOKEN_LOOP], rows[some], part)
    _check(chosen, rows[some], part, dtype)
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for number in range(-_WARM_UPS, rounds):
        tell(f"{shape.name}: " + (f"round {number + 1} of {rounds}" if number >= 0 else "warming up"))
        for name in work if number % 2 else reversed(work):
            taken = _timed(work[name], device)
            if number >= 0:
                seconds[name].append(taken)
    return _figures(shape, dtype, seconds, len(rows[some]))


def _check(chosen: Mapping[str, Way], rows: Tensor, routing: Routing, dtype: torch.dtype) -> None:
    expected = chosen[TOKEN_LOOP](rows, routing).float()
    most = _TOLERANCE[dtype] * float(expected.abs().max())
    for name, way in chosen.items():
        apart = float((way(rows, routing).float() - expected).abs().max())
        if not apart <= most:
            raise DisagreementError(f"{name} is {apart:.2g} from the loop over tokens, at most {most:.2g} was expected")


def _timed(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def _figures(shape: LayerShape, dtype: torch.dtype, seconds: Mapping[str, list[float]], looped: int) -> LayerFigures:
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    best = min((name for name in medians if name.startswith("transformers")), key=medians.__getitem__)
    own = seconds[OURS]
    spread = statistics.quantiles(own, n=100, method="inclusive") if len(own) > 1 else own * 99
    return LayerFigures(
        shape=shape.name,
        inner=shape.inner,
        tokens=shape.tokens,
        dtype=str(dtype).removeprefix("torch."),
        threads=torch.get_num_threads(),
        rounds=len(own),
        seconds={name: round(taken, 5) for name, taken in medians.items()},
        looped_tokens=looped,
        gflops=round(shape.flops / medians[OURS] / 1e9, 1),
        tokens_per_second=round(shape.tokens / medians[OURS]),
        p95=round(spread[94], 5),
        p99=round(spread[98], 5),
        ahead={
            TOKEN_LOOP: _ratio(seconds[TOKEN_LOOP], own, shape.tokens / looped),
            DENSE: _ratio(seconds[DENSE], own),
            EXPERT_LOOP: _ratio(seconds[EXPERT_LOOP], own),
            "transformers": _ratio(seconds[best], own),
        },
        best_of_transformers=best.removeprefix("transformers, "),
    )


def _ratio(other: list[float], own: list[float], as_often: float = 1.0) -> Ratio:
    pairs = [as_often * theirs / ours for theirs, ours in zip(other, own, strict=True)]
    return Ratio(*(round(number, 3) for number in (statistics.median(pairs), min(pairs), max(pairs))))
