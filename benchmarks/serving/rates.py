"""How fast the encoder runs: beside its own linear layers, and beside plain transformers."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.contest import Contestant, contestants, interleaved
from serving.folders import model_folder
from serving.shapes import BASE, PERIOD, Shape

NAMES = ("plimsoll", "transformers", "linear layers")
_WHOLE_UP_TO = 1_024
"""Tokens: above, three layers stand for all 22. They take minutes for what three of them show in seconds."""
_TOLERANCE = 1e-3
"""Between two logits of one sequence: beyond, the two did not compute the same."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of the rounds' pairs."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Of one length. Rates in GFLOP/s."""

    tokens: int
    shape: str
    layers: int
    rounds: int
    seconds: dict[str, float]
    plimsoll: float
    linear_layers: float
    share: Ratio
    """Plimsoll's rate as a part of that of the linear layers alone."""
    ahead: Ratio
    """Seconds of plain transformers for each of Plimsoll's."""


def shape_for(tokens: int, *, whole: bool, quick: bool) -> Shape:
    return BASE if whole or (tokens <= _WHOLE_UP_TO and not quick) else PERIOD


def rates(
    lengths: Sequence[int], rounds: int, *, whole: bool, quick: bool, shared: bool, tell: Callable[[str], None]
) -> list[Rate]:
    """One for each length. Raises ContestError."""
    found = []
    for shape in (BASE, PERIOD):
        chosen = [tokens for tokens in lengths if shape_for(tokens, whole=whole, quick=quick) is shape]
        if chosen:
            found += rates_of(shape, model_folder(shape), chosen, rounds, shared=shared, tell=tell)
    return sorted(found, key=lambda rate: rate.tokens)


def rates_of(
    shape: Shape, folder: Path, lengths: Sequence[int], rounds: int, *, shared: bool, tell: Callable[[str], None]
) -> list[Rate]:
    found = []
    with contestants(NAMES, folder, shared=shared) as entrants:
        for tokens in lengths:
            _require_same_answer(entrants["plimsoll"], entrants["transformers"])
            rate = _rate(shape, tokens, interleaved(entrants, tokens, rounds))
            tell(line(rate))
            found.append(rate)
    return found


def _require_same_answer(one: Contestant, other: Contestant) -> None:
    logits = [entrant.ask(do="time", tokens=300, times=1)["logits"] for entrant in (one, other)]
    gap = max(abs(mine - theirs) for mine, theirs in zip(*logits, strict=True))
    if gap > _TOLERANCE:
        raise ValueError(f"{one.name} and {other.name} differ by {gap:.2g} in a logit: they do not run the same model")


def _rate(shape: Shape, tokens: int, seconds: dict[str, list[float]]) -> Rate:
    flops, linear_flops = shape.flops(tokens), shape.layers * shape.linear_flops(tokens)
    ours, plain, linear = (seconds[name] for name in NAMES)
    shares = [(flops / mine) / (linear_flops / theirs) for mine, theirs in zip(ours, linear, strict=True)]
    aheads = [theirs / mine for mine, theirs in zip(ours, plain, strict=True)]
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return Rate(
        tokens=tokens,
        shape=shape.name,
        layers=shape.layers,
        rounds=len(ours),
        seconds={name: round(value, 4) for name, value in medians.items()},
        plimsoll=round(flops / medians["plimsoll"] / 1e9, 1),
        linear_layers=round(linear_flops / medians["linear layers"] / 1e9, 1),
        share=ratio(shares),
        ahead=ratio(aheads),
    )


def ratio(values: Sequence[float], digits: int = 3) -> Ratio:
    return Ratio(round(statistics.median(values), digits), round(min(values), digits), round(max(values), digits))


def line(rate: Rate) -> str:
    """As it is said while the run goes on."""
    return (
        f"{rate.tokens:>6} tokens, {rate.layers:>2} layers: {rate.plimsoll:6.1f} GFLOP/s, "
        f"{100 * rate.share.median:5.1f} % of the linear layers' {rate.linear_layers:6.1f}; "
        f"{rate.ahead.median:5.2f}× transformers ({rate.ahead.least:.2f} to {rate.ahead.most:.2f})"
    )
