"""Both loops on the same examples, step by step in turn, in one process: what each takes, and what each learns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import torch
from torch.profiler import ProfilerActivity, profile

from plimsoll_server.train.demo.repeatable import repeatable
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.progress import Advance
from plimsoll_server.train.scaled.examples import Example, Group, groups
from plimsoll_server.train.scaled.loops import Loop, build, finite
from plimsoll_server.train.scaled.material import Material
from plimsoll_server.train.scaled.recipe import LoopName, ScaledRecipe

LOOPS: tuple[LoopName, ...] = get_args(LoopName)
_KINDS = {"matrix products": ("aten::mm", "aten::addmm"), "attention": ("aten::_scaled_dot_product",)}
_PROFILED_BATCHES = 2


@dataclass(frozen=True)
class LoopFigures:
    seconds: tuple[float, ...]
    """Of each step, by the clock."""
    cpu_seconds: tuple[float, ...]
    """Of each step, of processor time: what else runs on the machine shows less in it."""
    epoch_losses: tuple[float, ...]
    shares: dict[str, float]
    """Of the time in torch's operations, by kind."""


@dataclass(frozen=True)
class Comparison:
    examples: int
    tokens: int
    padded_tokens: int
    """As the plain loop reads them: each batch filled up to its longest."""
    steps: int
    plain: LoopFigures
    optimised: LoopFigures

    @property
    def time_ratio(self) -> float:
        """Median over the pairs of steps: the optimised loop's processor time over the plain one's."""
        pairs = zip(self.optimised.cpu_seconds, self.plain.cpu_seconds, strict=True)
        return statistics.median(fast / slow for fast, slow in pairs)

    @property
    def largest_loss_gap(self) -> float:
        """Over the epochs, as a share of the plain loop's loss."""
        pairs = zip(self.optimised.epoch_losses, self.plain.epoch_losses, strict=True)
        return max(abs(one - other) / other for one, other in pairs)


def compare(material: Material, recipe: ScaledRecipe, advance: Advance) -> Comparison:
    """Raises TrainingError on a loss that is no number. `advance` is called once per step of both."""
    with repeatable(recipe.seed):
        torch.set_num_threads(recipe.threads)
        loops = {name: build(name, recipe, material.labels)[1] for name in LOOPS}
        timed = {name: _Timed(loop, recipe) for name, loop in loops.items()}
        for epoch in range(recipe.epochs):
            for number, group in enumerate(groups(material.training, recipe, epoch)):
                # By turns: what slows the machine down for a while slows both.
                for name in LOOPS if number % 2 else reversed(LOOPS):
                    timed[name].step(group)
                advance("")
            for one in timed.values():
                one.end_epoch()
        first = next(iter(groups(material.training, recipe, 0)))
        shares = {name: _shares(build(name, recipe, material.labels)[1], first) for name in LOOPS}
    figures = {name: timed[name].figures(shares[name]) for name in LOOPS}
    padded = sum(
        len(batch) * max(len(example.tokens) for example in batch)
        for epoch in range(recipe.epochs)
        for group in groups(material.training, recipe, epoch)
        for batch in group
    )
    return Comparison(
        examples=len(material.training),
        tokens=sum(len(example.tokens) for example in material.training),
        padded_tokens=padded // recipe.epochs,
        steps=len(figures["plain"].seconds),
        plain=figures["plain"],
        optimised=figures["optimised"],
    )


def full_length(material: Material, recipe: ScaledRecipe) -> Material:
    """The same without padding in either loop: as many of the examples as fill the window, repeated where too few.
    Raises TrainingError where there is none."""
    full = [example for example in material.training if len(example.tokens) == recipe.window]
    if not full:
        longest = max(len(example.tokens) for example in material.training)
        raise TrainingError(
            f"expected an example that fills the window of {recipe.window} tokens, found none longer than {longest}; "
            "draw more examples (--examples), or write a shorter window into the recipe"
        )
    wanted = len(material.training)
    return replace(material, training=_repeated(full, wanted))


def _repeated(examples: Sequence[Example], count: int) -> tuple[Example, ...]:
    return tuple(examples[index % len(examples)] for index in range(count))


class _Timed:
    """Follows one loop."""

    def __init__(self, loop: Loop, recipe: ScaledRecipe) -> None:
        self._loop = loop
        self._recipe = recipe
        self._seconds: list[float] = []
        self._cpu_seconds: list[float] = []
        self._losses: list[float] = []
        self._epoch_losses: list[float] = []

    def step(self, group: Group) -> None:
        began, began_cpu = time.perf_counter(), time.process_time()
        loss = self._loop.step(group)
        self._seconds.append(time.perf_counter() - began)
        self._cpu_seconds.append(time.process_time() - began_cpu)
        self._losses.append(finite(loss, len(self._seconds), self._recipe))

    def end_epoch(self) -> None:
        self._epoch_losses.append(statistics.fmean(self._losses))
        self._losses.clear()

    def figures(self, shares: dict[str, float]) -> LoopFigures:
        return LoopFigures(tuple(self._seconds), tuple(self._cpu_seconds), tuple(self._epoch_losses), shares)


def _shares(loop: Loop, group: Group) -> dict[str, float]:
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        loop.step(group[:_PROFILED_BATCHES])
    times = {event.key: event.self_cpu_time_total for event in profiled.key_averages()}
    total = sum(times.values())
    found = {
        kind: sum(spent for name, spent in times.items() if name.startswith(names)) / total
        for kind, names in _KINDS.items()
    }
    return {**found, "all else": 1 - sum(found.values())}
