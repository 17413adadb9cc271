"""The processes that train one model together: one, or as many as `torchrun` started."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

DEADLINE = timedelta(minutes=10)
"""For the others to arrive where all meet."""


@dataclass(frozen=True, slots=True)
class Processes:
    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this one writes the files."""
        return self.rank == 0

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        if self.count > 1:
            distributed.all_reduce(values)
        return values / self.count

    def all_of(self, value: Any) -> list[Any]:
        """The value of each process, in their order."""
        found = [value] * self.count
        if self.count > 1:
            distributed.all_gather_object(found, value)
        return found

    def meet(self) -> None:
        if self.count > 1:
            distributed.barrier()


@contextmanager
def joined(wanted: str, environment: Mapping[str, str] = os.environ) -> Iterator[Processes]:
    """`wanted`: auto, cpu or cuda. `torchrun` says by the environment how many processes there are."""
    kind = wanted if wanted != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    count = int(environment.get("WORLD_SIZE", "1"))
    if kind == "cuda":
        torch.cuda.set_device(int(environment.get("LOCAL_RANK", "0")))
    if count == 1:
        yield Processes(torch.device(kind))
        return
    distributed.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=DEADLINE)
    try:
        yield Processes(torch.device(kind), distributed.get_rank(), count)
    finally:
        distributed.destroy_process_group()
