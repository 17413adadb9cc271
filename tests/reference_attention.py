"""Attention by its formula, for a sequence of any length: what every other way is compared with.

The scores are written out for a block of queries at a time, against all keys of the sequence, so that 32K tokens fit
into memory. It knows nothing of packs, windows of keys, or kernels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface

from plimsoll_server.types import Tokens

_QUERIES = 256


def reference_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: None,
    *,
    scaling: float,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """`sliding_window` as transformers gives it: a token sees those at a distance below."""
    parts = []
    for first in range(0, query.shape[2], _QUERIES):
        scores = query[:, :, first : first + _QUERIES] @ key.transpose(2, 3) * scaling
        if sliding_window is not None:
            row = torch.arange(first, first + scores.shape[2]).unsqueeze(1)
            scores = scores.masked_fill((row - torch.arange(key.shape[2])).abs() >= sliding_window, float("-inf"))
        parts.append(scores.softmax(-1) @ value)
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous(), None


def reference_network(kind: Any, folder: Path) -> Any:
    """transformers' own network with that attention, in float32. It runs one sequence at a time."""
    AttentionInterface.register("reference", reference_attention)
    network = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="reference")
    return network.train(mode=False)


@torch.inference_mode()
def reference_hidden(network: Any, tokens: Tokens) -> Tensor:
    """Hidden states of shape (tokens, width)."""
    hidden: Tensor = network.base_model(torch.tensor([list(tokens)])).last_hidden_state[0]
    return hidden
