"""Several sequences laid end to end, with no padding: what one forward pass works on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import accumulate, chain, pairwise

import torch
from torch import Tensor

from plimsoll_server.types import Tokens


class Pack:
    """Token ids of shape (1, total), positions that restart with each sequence, and where each one lies.

    The attention functions count their calls on it: a layer that attended without them would have mixed the sequences.
    """

    def __init__(
        self, batch: Sequence[Tokens], device: torch.device, between: Callable[[], None] | None = None
    ) -> None:
        self.between = between
        self._lengths = [len(tokens) for tokens in batch]
        self.borders: list[int] = [0, *accumulate(self._lengths)]
        self.longest = max(self._lengths)
        self.input_ids = torch.tensor([list(chain.from_iterable(batch))], device=device)
        self.position_ids = torch.cat([torch.arange(length, device=device) for length in self._lengths]).unsqueeze(0)
        self.attention_calls = 0
        self._kept: dict[Hashable, Tensor] = {}

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Start and end of each sequence within the pack."""
        return list(pairwise(self.borders))

    def cumulative_lengths(self) -> Tensor:
        """The borders, as kernels for sequences of different lengths take them."""
        return torch.tensor(self.borders, dtype=torch.int32, device=self.input_ids.device)

    def owners(self) -> Tensor:
        """For each token, the number of its sequence within the pack."""
        device = self.input_ids.device
        lengths = torch.tensor(self._lengths, device=device)
        return torch.arange(len(self._lengths), dtype=torch.int32, device=device).repeat_interleave(lengths)

    def keep(self, name: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """What is the same for every layer: made by the first one that asks for `name`."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]
