"""The same seed gives the same weights, and the process that trains is left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Seeds torch's global generator and computes on one thread, for as long as the block lasts.

    One thread, because the order of a sum depends on how many there are. It costs little: on a machine whose processors
    are busy with other work, two threads that wait for each other at every operation were slower than one.
    """
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
