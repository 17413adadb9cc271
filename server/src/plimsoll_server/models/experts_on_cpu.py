"""Experts for float32 on a CPU: the numbers of the grouped products in two thirds of the time.

An expert's rows go through it in slices that stay in cache, with its weights as oneDNN's kernels read them; nothing as
wide as the feed-forward ever exists whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from plimsoll_server.models.experts import Experts, Routing, sort_by_expert
from plimsoll_server.models.filling import rounded_up
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

    def forward(self, rows: Tensor, routing: Routing) -> Tensor:
        """Rows (tokens, width) to rows."""
        groups = sort_by_expert(routing, len(self._experts))
        places, width = len(groups.tokens), rows.shape[1]
        own, outputs = rows.new_zeros(places + _ROWS, width), rows.new_empty(places, width)
        torch.index_select(rows, 0, groups.tokens, out=own[:places])
        start = 0
        for (gate, up, down), end in zip(self._experts, groups.ends.tolist(), strict=True):
            for first, last in _slices(start, end):
                # Few sizes, whatever the routing: what is read beyond the end is another's, and left there.
                part = own[first : first + rounded_up(last - first, most=_ROWS)]
                outputs[first:last] = down(up.times(part, gate.gelu(part)))[: last - first]
            start = end
        return groups.gather(outputs, routing)


def _slices(start: int, end: int) -> Iterator[tuple[int, int]]:
    return ((first, min(first + _ROWS, end)) for first in range(start, end, _ROWS))
