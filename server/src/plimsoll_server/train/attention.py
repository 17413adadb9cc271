"""Attention over a pack that gradients flow through, and how evenly it is spread."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface

from plimsoll_server.models.pack import Pack

ATTENTION = "packed_training"
_MEASURED_SEQUENCES = 4
"""Of a pack: their scores are written out, in memory that grows with the square of the length."""


class MeasuredPack(Pack):
    """One that layers tell the entropy of their attention."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.entropies: list[Tensor] = []
        """One of each layer: the mean over heads and queries, in nats. ln(keys) where all keys count the same."""


def register_training_attention() -> None:
    AttentionInterface.register(ATTENTION, _attend)


def _attend(
    layer: nn.Module,  # noqa: ARG001  the interface's signature
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: None,  # noqa: ARG001
    *,
    pack: Pack,
    scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:
    """As the server's packed attention, but nothing is written in place: gradients flow through it."""
    pack.attention_calls += 1
    lengths = [end - start for start, end in pairwise(pack.borders)]
    parts = list(zip(*(torch.split(states, lengths, dim=2) for states in (query, key, value)), strict=True))
    attended = [
        functional.scaled_dot_product_attention(one, its_keys, its_values, scale=scaling)
        for one, its_keys, its_values in parts
    ]
    if isinstance(pack, MeasuredPack):
        measured = _entropies((one, keys, scaling) for one, keys, _ in parts[:_MEASURED_SEQUENCES])
        pack.entropies.append(torch.cat(list(measured)).mean())
    return torch.cat(attended, dim=2).transpose(1, 2), None


def _entropies(parts: Iterator[tuple[Tensor, Tensor, float]]) -> Iterator[Tensor]:
    """Of each query of each head."""
    for query, key, scaling in parts:
        logarithms = (query.float() @ key.float().mT * scaling).log_softmax(-1)
        yield -(logarithms.exp() * logarithms).sum(-1).flatten()
