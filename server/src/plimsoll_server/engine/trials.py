"""Batches of ascending size, run to see how far memory rises.

Only the first layers run: the memory of inference peaks within them, and a deep model would take minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from plimsoll_server.engine.fit import steps_agree
from plimsoll_server.engine.memory import is_out_of_memory
from plimsoll_server.engine.meter import Meter
from plimsoll_server.models.family import Between, Model
from plimsoll_server.types import Tokens, Trial

_FIRST_LAYERS = 3
"""With one of each kind among them in every family."""
_SMALLEST = 512
"""Tokens."""
_MOST_SECONDS = 15.0
"""For all trials, if the next size takes as many times the last as that took of the one before, and at least"""
_LEAST_TIMES, _MOST_TIMES = 2.0, 4.0
"""times as long, for it is twice as large; and at most four times, for nothing costs more than its tokens squared. What
took longer was kept waiting by others once, which says nothing of the next."""
_PACKED = 16
"""Sequences in a pack, or more where the longest that is allowed is shorter."""


class _SeenEnough(Exception):  # noqa: N818  ends a forward pass of which no more is wanted
    pass


class _TimeIsUp(Exception):  # noqa: N818  ends one that takes longer than those before it let expect
    pass


@dataclass(frozen=True, slots=True)
class Tried:
    trials: tuple[Trial, ...]
    sufficed: bool
    """Whether they ended for another reason than want of memory, or of time for a second size: another start may have
    both."""


@dataclass(frozen=True, slots=True)
class Trials:
    """`sample`: ordinary text, and `longest`: the most tokens of one sequence. `free` gives back what is not in use.
    `clock` tells seconds."""

    model: Model
    meter: Meter
    free: Callable[[], None]
    sample: Tokens
    longest: int
    clock: Callable[[], float] = time.monotonic

    def run(self, most: int, room: int) -> Tried:
        """Batches of up to `most` tokens, each as one sequence and as a pack of many.

        They end where larger ones would tell nothing new, where the time is up, before one that might take more than
        `room` bytes, and with one that runs out of memory or, at a border between two layers, of time. Empty where
        nobody tells how much memory is in use.
        """
        trials: list[Trial] = []
        patience = Patience(self.clock)
        for size in _sizes(most):
            for lengths in self._shapes(size):
                try:
                    trial = self._attempt([stretched(self.sample, length) for length in lengths], patience)
                except _TimeIsUp:
                    # Of two sizes and more as much is known as if this one had never been begun.
                    return Tried(tuple(trials), sufficed=len({trial.tokens for trial in trials}) > 1)
                if trial is None:
                    return Tried(tuple(trials), sufficed=False)
                trials.append(trial)
            lasts = patience.lasts_for_the_next()
            if steps_agree(trials, self.meter.telling):
                break
            if 2 * max(trial.growth for trial in trials) > room:
                return Tried(tuple(trials), sufficed=False)
            if not lasts:
                break
        return Tried(tuple(trials), sufficed=True)

    def _shapes(self, size: int) -> list[list[int]]:
        """The lengths of the sequences of each batch of `size` tokens."""
        alone = [[size]] if size <= self.longest else []
        return [*alone, _mixed(size, self.longest)] if self.model.info.packing == "packed" else alone

    def _attempt(self, batch: Sequence[Tokens], patience: Patience) -> Trial | None:
        self.free()
        try:
            growth = self.meter.growth(lambda: self._first_layers(batch, patience))
        except OSError:
            return None
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        return Trial(sequences=len(batch), tokens=sum(map(len, batch)), growth=growth)

    def _first_layers(self, batch: Sequence[Tokens], patience: Patience) -> None:
        with suppress(_SeenEnough):
            self.model.forward(batch, _enough_after(_FIRST_LAYERS, patience))


class Patience:
    """Whether there is time for the next size, and for the next layer. `clock` tells seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = self._asked = clock()
        self._seconds = 0.0

    def lasts_for_the_next(self) -> bool:
        now = self._clock()
        before, self._seconds = self._seconds, now - self._asked
        self._asked = now
        times = min(_MOST_TIMES, max(_LEAST_TIMES, self._seconds / before if before else 0.0))
        return now - self._began + times * self._seconds <= _MOST_SECONDS

    def is_over(self) -> bool:
        """Never before one size is whole: it is a small one, and without it nothing would be known."""
        return self._asked > self._began and self._clock() - self._began > _MOST_SECONDS


def stretched(sample: Tokens, length: int) -> Tokens:
    return (list(sample) * (length // len(sample) + 1))[:length]


def _sizes(most: int) -> list[int]:
    """Powers of two, from what could tell at all to what may ever run together."""
    sizes = [min(_SMALLEST, most)]
    while 2 * sizes[-1] <= most:
        sizes.append(2 * sizes[-1])
    return sizes


def _mixed(size: int, longest: int) -> list[int]:
    """Sequences of half to full length by turns: attention may need a mask for every length that it meets."""
    top = max(1, min(longest, size // _PACKED))
    lengths: list[int] = []
    while (left := size - sum(lengths)) > 0:
        lengths.append(min(left, top - len(lengths) % _PACKED * top // (2 * _PACKED)))
    return lengths


def _enough_after(layers: int, patience: Patience) -> Between:
    seen = 0

    def between() -> None:
        nonlocal seen
        seen += 1
        if seen == layers:
            raise _SeenEnough
        if patience.is_over():
            raise _TimeIsUp

    return between
