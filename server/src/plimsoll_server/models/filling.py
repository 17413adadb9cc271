"""Packs of few different sizes on a CPU.

oneDNN writes the code of a kernel for each number of rows that a layer meets. In a small model that takes as long as
running it, so a pack is filled up to a number that others have too. In a large one the rows would take longer.
"""

from __future__ import annotations

from collections.abc import Sequence

from plimsoll_server.types import Tokens

_WHOLE = 512
"""Only what is left over beyond a multiple of it is filled up: layers take their rows in slices of as many, or their
time is no matter of one kernel."""
_LEAST_STEP = 8
_STEPS_PER_OCTAVE = 4
_WRITING_FLOPS = 300_000_000
"""What a thread computes while the kernels for a new size are written: five of 0.7 ms, at 90 GFLOP/s."""


def rows_for_new_kernels(weights: int, threads: int) -> int:
    """How many rows go through linear layers of so many weights in the time that kernels for a new size take."""
    return _WRITING_FLOPS * threads // max(2 * weights, 1)


def rounded_up(rows: int, most: int) -> int:
    """The least size of a pack that is not below `rows`, one of twenty beyond each multiple of 512; `rows` where such
    sizes lie further from each other than `most`."""
    whole, left = divmod(rows, _WHOLE)
    step = max(_LEAST_STEP, (1 << max(left - 1, 0).bit_length()) // (2 * _STEPS_PER_OCTAVE))
    return rows if step > most else whole * _WHOLE + -(-left // step) * step


def filled_up(batch: Sequence[Tokens], window: int, most: int) -> list[Tokens]:
    """The batch, and behind it sequences that nobody asked for, none longer than `window`. They say a token that the
    first sequence says too: what the model makes of it is no news."""
    rows = sum(map(len, batch))
    missing = rounded_up(rows, most) - rows
    said = list(batch[0][:1])
    return [*batch, *(said * min(window, missing - start) for start in range(0, missing, window))]
