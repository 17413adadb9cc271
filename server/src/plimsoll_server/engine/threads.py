"""How many threads a batch is worth on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_PRODUCTS = 12
"""For each token, in units of the squared width: what the linear layers of an ordinary block take."""
_WORTH_SHARING = 4_000_000
"""Products in one layer. One thread does fewer in less than a tenth of a millisecond, and a layer has a dozen places
where several would wait for each other."""
_WORTH_STARTING = 1 << 20
"""Numbers to add up: torch has its threads take part in that many."""


def start_threads(count: int) -> None:
    """Torch's, of the thread that calls. To be done while there is memory for their stacks: one that finds none ends
    the process."""
    torch.set_num_threads(count)
    torch.ones(_WORTH_STARTING).sum()


@contextmanager
def threads_for(tokens: int, width: int) -> Iterator[None]:
    """Has one thread do what is not worth sharing, within the block; `width` is that of a hidden state."""
    usual = torch.get_num_threads()
    if usual > 1 and tokens * _PRODUCTS * width**2 < _WORTH_SHARING:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)
