"""Packs of few different sizes on a CPU.

oneDNN writes the code of a kernel for each number of rows that a layer meets. For short texts that takes as long as
running it, so a pack is filled up to a number that others have too.
"""

from __future__ import annotations

from collections.abc import Sequence

from plimsoll_server.types import Tokens

_WHOLE = 512
"""Only what is left over beyond a multiple of it is filled up: layers take their rows in slices of as many, or their
time is no matter of one kernel."""
_LEAST_STEP = 8
_STEPS_PER_OCTAVE = 4


def rounded_up(rows: int) -> int:
    """The least size of a pack that is not below `rows`: one of twenty beyond each multiple of 512."""
    whole, left = divmod(rows, _WHOLE)
    if not left:
        return rows
    step = max(_LEAST_STEP, (1 << (left - 1).bit_length()) // (2 * _STEPS_PER_OCTAVE))
    return whole * _WHOLE + -(-left // step) * step


def filled_up(batch: Sequence[Tokens], window: int) -> list[Tokens]:
    """The batch, and behind it sequences that nobody asked for, none longer than `window`. They say a token that the
    first sequence says too: what the model makes of it is no news."""
    rows = sum(map(len, batch))
    missing = rounded_up(rows) - rows
    said = list(batch[0][:1])
    return [*batch, *(said * min(window, missing - start) for start in range(0, missing, window))]
