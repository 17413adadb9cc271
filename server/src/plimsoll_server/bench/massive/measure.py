"""All contenders at each batch and length, in turns: what one took, or why it was not measured."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from plimsoll_server.bench.massive.contenders import Contender, Run
from plimsoll_server.bench.massive.place import Place
from plimsoll_server.engine.memory import free_memory, is_out_of_memory

Status = Literal["measured", "out of memory", "does not fit", "takes too long"]

_LEAST_ROWS = 6
"""Of states that a layer holds at once, whichever the network: more are certain, so what does not fit with these never
does."""


@dataclass(frozen=True, slots=True)
class Plan:
    batches: tuple[int, ...]
    lengths: tuple[int, ...]
    """In tokens."""
    runs: int
    most_seconds: float
    """Of a forward pass, and of all runs of one contender at one batch and length."""


@dataclass(frozen=True, slots=True)
class Row:
    """A model at a batch and a length. Memory is in MiB."""

    model: str
    parameters: int
    weights_mb: float
    batch_size: int
    seq_len: int
    status: Status = "measured"
    detail: str = ""
    """Why it was not measured."""
    runs: int = 0
    mean_time_ms: float | None = None
    min_time_ms: float | None = None
    throughput_tokens_per_sec: float | None = None
    peak_memory_mb: float | None = None
    """The weights, and what a forward pass takes beside them at its highest. None where nobody tells."""


@torch.inference_mode()
def measure(
    contenders: Sequence[Contender], plan: Plan, place: Place, tell: Callable[[str], None]
) -> Iterator[list[Row]]:
    """The rows of one batch and length after the other. `tell` hears what is being done."""
    entrants = []
    for contender in contenders:
        tell(f"making {contender.name}, {contender.parameters / 1e6:,.0f} million weights")
        entrants.append(_Entrant(contender, place, plan))
    for batch, tokens in itertools.product(plan.batches, plan.lengths):
        tell(f"{batch} × {tokens} tokens")
        yield _in_turns(entrants, plan, batch, tokens)


def _in_turns(entrants: Sequence[_Entrant], plan: Plan, batch: int, tokens: int) -> list[Row]:
    """By turns: what slows the machine down for a while slows all. A first pass of each, by which memory is measured,
    warms it up."""
    tries = [entrant.enter(batch, tokens) for entrant in entrants]
    for number in range(plan.runs):
        for one in tries if number % 2 else reversed(tries):
            one.run()
    return [one.row() for one in tries]


class _Entrant:
    """A contender with its weights, or the reason why it has none."""

    def __init__(self, contender: Contender, place: Place, plan: Plan) -> None:
        self._contender, self._place, self._plan = contender, place, plan
        self._weights = contender.parameters * place.dtype.itemsize
        self._unfit = self._lacks(self._weights)
        self._network: Run | None = None
        if not self._unfit:
            try:
                self._network = contender.build(place.device, place.dtype)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._unfit = "memory ran out while its weights were made"
                free_memory(place.device)

    def enter(self, batch: int, tokens: int) -> _Try:
        contender, place = self._contender, self._place
        row = Row(contender.name, contender.parameters, _mib(self._weights), batch, tokens)
        if self._network is None:
            return _Try(dataclasses.replace(row, status="does not fit", detail=self._unfit), place, None, 0.0)
        states = batch * tokens * contender.config.hidden_size * place.dtype.itemsize
        if lacks := self._lacks(_LEAST_ROWS * states):
            return _Try(dataclasses.replace(row, status="does not fit", detail=lacks), place, None, 0.0)
        expected = contender.flops(batch, tokens) / place.flops_per_second
        if expected > (most := self._plan.most_seconds):
            why = f"by its arithmetic a pass takes {expected:,.0f} s or more, and at most {most:g} s are wanted"
            return _Try(dataclasses.replace(row, status="takes too long", detail=why), place, None, 0.0)
        ids = torch.randint(1, contender.config.vocab_size, (batch, tokens), device=place.device)
        return _Try(row, place, partial(self._network, ids), self._plan.most_seconds)

    def _lacks(self, needed: int) -> str:
        room = self._place.room()
        return f"needs {needed >> 20:,} MiB more at least, {room >> 20:,} MiB are left" if needed > room else ""


class _Try:
    """A contender at one batch and length."""

    def __init__(self, row: Row, place: Place, work: Callable[[], Tensor] | None, most_seconds: float) -> None:
        self._row, self._place, self._work, self._most_seconds = row, place, work, most_seconds
        self._seconds: list[float] = []
        self._growth: int | None = None
        self._attempt(self._first)

    def run(self) -> None:
        """Once more, unless memory ran out or time is up."""
        if sum(self._seconds) <= self._most_seconds:
            self._attempt(lambda work: self._seconds.append(self._place.seconds(work)))

    def row(self) -> Row:
        if self._work is None:
            return self._row
        mean = statistics.fmean(self._seconds)
        return dataclasses.replace(
            self._row,
            runs=len(self._seconds),
            mean_time_ms=round(1e3 * mean, 3),
            min_time_ms=round(1e3 * min(self._seconds), 3),
            throughput_tokens_per_sec=round(self._row.batch_size * self._row.seq_len / mean, 1),
            peak_memory_mb=None if self._growth is None else round(self._row.weights_mb + _mib(self._growth), 1),
        )

    def _first(self, work: Callable[[], Tensor]) -> None:
        free_memory(self._place.device)
        try:
            self._growth = self._place.meter.growth(work)
        except OSError:  # nobody tells
            work()

    def _attempt(self, do: Callable[[Callable[[], Tensor]], None]) -> None:
        if self._work is None:
            return
        try:
            do(self._work)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._work = None
            self._row = dataclasses.replace(self._row, status="out of memory", detail=str(error).splitlines()[0])
            free_memory(self._place.device)


def _mib(size: int) -> float:
    return round(size / 2**20, 1)
