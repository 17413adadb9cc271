"""Experts, of which each token is given to a few and pays for no others.

Tokens are sorted by expert, so that each expert's weights meet all of its tokens in one matrix product, and the
products of all experts are one grouped product (Gale et al. 2022, "MegaBlocks", without its blocks: the groups are as
long as they are).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from plimsoll_server.models.pack import Pack


@dataclass(frozen=True, slots=True)
class Routing:
    """Which experts each token is given to."""

    experts: Tensor
    """(tokens, chosen)"""
    shares: Tensor
    """(tokens, chosen), of each token's output; they add up to 1."""
    probabilities: Tensor
    """(tokens, experts), in float32."""


class Router(nn.Module):
    def __init__(self, width: int, experts: int, chosen: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, width))
        self._chosen = chosen

    def forward(self, rows: Tensor) -> Routing:
        """`rows`: (tokens, width). In float32 whatever they are in: near a tie, rounding would choose the expert."""
        with torch.autocast(rows.device.type, enabled=False):
            probabilities = functional.linear(rows.float(), self.weight.float()).softmax(-1)
        likeliest, experts = probabilities.topk(self._chosen)
        shares = likeliest / likeliest.sum(-1, keepdim=True)
        return Routing(experts, shares.to(rows.dtype), probabilities)


class Experts(nn.Module):
    """Each a gated feed-forward: down(gelu(gate(x)) · up(x))."""

    def __init__(self, width: int, inner: int, experts: int) -> None:
        super().__init__()
        self.gate_up = nn.Parameter(torch.empty(experts, 2 * inner, width))
        self.down = nn.Parameter(torch.empty(experts, width, inner))

    def forward(self, rows: Tensor, routing: Routing, pack: Pack | None = None) -> Tensor:  # noqa: ARG002  as on a CPU
        """Rows (tokens, width) to rows."""
        groups = sort_by_expert(routing, len(self.down))
        own = rows[groups.tokens]
        gate, up = functional.grouped_mm(own, self.gate_up.mT, offs=groups.ends).chunk(2, dim=-1)
        return groups.gather(functional.grouped_mm(functional.gelu(gate) * up, self.down.mT, offs=groups.ends), routing)


@dataclass(frozen=True, slots=True)
class Groups:
    """All tokens by expert, each as often as it is given to one."""

    tokens: Tensor
    """(tokens · chosen,): whose row is at each place."""
    ends: Tensor
    """(experts,), int32: where each expert's places end."""
    places: Tensor
    """(tokens · chosen,): where each token's rows went, in the order of its experts."""

    def gather(self, outputs: Tensor, routing: Routing) -> Tensor:
        """Outputs (tokens · chosen, width) by place, to those of the tokens (tokens, width)."""
        # A sum of gathered rows and no index_add_: the same on every run.
        return torch.einsum("tcw,tc->tw", outputs[self.places].view(*routing.shares.shape, -1), routing.shares)


def sort_by_expert(routing: Routing, experts: int) -> Groups:
    given = routing.experts.flatten()
    order = given.argsort(stable=True)
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order), device=order.device)
    ends = torch.bincount(given, minlength=experts).cumsum(0).to(torch.int32)
    return Groups(order // routing.experts.shape[1], ends, places)
