"""Experts for float32 on a CPU: the numbers of the grouped products in two thirds of the time.

An expert's rows go through it in slices that stay in cache, with its weights as oneDNN's kernels read them; nothing as
wide as the feed-forward ever exists whole. What does is made once for all layers of a pack.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from plimsoll_server.models.experts import Experts, Routing, sort_by_expert
from plimsoll_server.models.filling import rounded_up
from plimsoll_server.models.pack import Pack
from plimsoll_server.models.packed_linear import PackedLinear, can_pack

_ROWS = 256
"""In a slice, at most."""


def can_quicken(experts: Experts) -> bool:
    return can_pack(experts.down)


class QuickExperts(nn.Module):
    """Takes over the weights of `experts`, which is of no use afterwards."""

    def __init__(self, experts: Experts) -> None:
        super().__init__()
        self._experts = [
            (*(PackedLinear(half, None) for half in gate_up.chunk(2)), PackedLinear(down, None))
            for gate_up, down in zip(experts.gate_up, experts.down, strict=True)
        ]
        self.buffers_asked = self.buffers_allocated = 0

    def forward(self, rows: Tensor, routing: Routing, pack: Pack | None = None) -> Tensor:
        """Rows (tokens, width) to rows. `pack`: what they are of, whose layers share their buffers."""
        groups = sort_by_expert(routing, len(self._experts))
        places = len(groups.tokens)
        own, outputs = (self._buffer(rows, places + _ROWS, purpose, pack) for purpose in ("read", "written"))
        torch.index_select(rows, 0, groups.tokens, out=own[:places])
        start = 0
        for (gate, up, down), end in zip(self._experts, groups.ends.tolist(), strict=True):
            for first, last in _slices(start, end):
                # Few sizes, whatever the routing: what is read beyond the end is another's, and left there.
                part = own[first : first + rounded_up(last - first, most=_ROWS)]
                outputs[first:last] = down(up.times(part, gate.gelu(part)))[: last - first]
            start = end
        return groups.gather(outputs[:places], routing)

    def _buffer(self, like: Tensor, size: int, purpose: str, pack: Pack | None) -> Tensor:
        """Of shape (size, width). No layer has more rows than the first, and each reads no more than it wrote, but for
        rows that nobody hears of."""

        def made() -> Tensor:
            self.buffers_allocated += 1
            return like.new_zeros(size, like.shape[1])

        self.buffers_asked += 1
        return made() if pack is None else pack.keep(("experts", purpose), made)[:size]


def _slices(start: int, end: int) -> Iterator[tuple[int, int]]:
    return ((first, min(first + _ROWS, end)) for first in range(start, end, _ROWS))
