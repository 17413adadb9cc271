"""Several sequences laid end to end, with no padding: what one forward pass works on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, chain, pairwise

import torch

from plimsoll_server.types import Tokens


class Pack:
    """Token ids of shape (1, total), positions that restart with each sequence, and where each one lies.

    The attention functions count their calls on it: a layer that attended without them would have mixed the sequences.
    """

    def __init__(
        self, batch: Sequence[Tokens], device: torch.device, between: Callable[[], None] | None = None
    ) -> None:
        self.between = between
        lengths = [len(tokens) for tokens in batch]
        self.borders: list[int] = [0, *accumulate(lengths)]
        self.longest = max(lengths)
        self.input_ids = torch.tensor([list(chain.from_iterable(batch))], device=device)
        self.position_ids = torch.cat([torch.arange(length, device=device) for length in lengths]).unsqueeze(0)
        self.attention_calls = 0
        self._masks: dict[tuple[int, ...], torch.Tensor] = {}

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Start and end of each sequence within the pack."""
        return list(pairwise(self.borders))

    def cumulative_lengths(self) -> torch.Tensor:
        return torch.tensor(self.borders, dtype=torch.int32, device=self.input_ids.device)

    def mask(self, shape: tuple[int, ...], make: Callable[[], torch.Tensor]) -> torch.Tensor:
        """The mask kept under `shape`, made on first use: interior blocks of all layers share one."""
        if shape not in self._masks:
            self._masks[shape] = make()
        return self._masks[shape]
