"""Kernels of all sizes, made before anything is measured and while there is room for their code."""

from __future__ import annotations

from collections.abc import Callable

import torch

from plimsoll_server.engine.trials import stretched
from plimsoll_server.models.packed_linear import kernel_rows
from plimsoll_server.types import Tokens

_MOST_ROWS_PER_THREAD = 256
"""Longer batches go through a layer in slices of so many, or make one kernel more for each fourth of an octave."""


def make_kernels(run: Callable[[Tokens], object], sample: Tokens) -> None:
    """Has `run` go once through every number of rows that kernels are made for, with `sample` over and over.

    They stay for good, with their code: what came later would be taken from what the batches were promised.
    """
    rows = 0
    while rows < _MOST_ROWS_PER_THREAD * torch.get_num_threads():
        rows = kernel_rows(rows + 1)
        run(stretched(sample, rows))
