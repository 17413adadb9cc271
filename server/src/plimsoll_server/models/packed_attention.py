"""Attention over a pack, in which each sequence sees only itself: one function for each back-end, plugged into the
models of transformers by name.

The fused ones need an NVIDIA GPU and half precision. `eager` writes the scores out, in memory that grows with the
square of the longest sequence: what the others are compared with, and for hardware that has nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface

from plimsoll_server.models.pack import Pack
from plimsoll_server.models.packed_sdpa import packed_sdpa


def register_packed_attention() -> None:
    """Makes `packed_flash`, `packed_varlen`, `packed_sdpa` and `packed_eager` known to transformers."""
    AttentionInterface.register("packed_flash", packed_flash)
    AttentionInterface.register("packed_varlen", packed_varlen)
    AttentionInterface.register("packed_sdpa", packed_sdpa)
    AttentionInterface.register("packed_eager", packed_eager)


def packed_flash(
    module: torch.nn.Module,  # noqa: ARG001  the interface's signature
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: None,  # noqa: ARG001
    *,
    pack: Pack,
    scaling: float,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """As `packed_sdpa`, by flash-attn's kernel for sequences of different lengths."""
    pack.attention_calls += 1
    borders = pack.keep("cumulative lengths", pack.cumulative_lengths)
    # An extra of the GPU image, absent elsewhere.
    output: Tensor = import_module("flash_attn").flash_attn_varlen_func(
        *_by_token(query, key, value),
        borders,
        borders,
        pack.longest,
        pack.longest,
        softmax_scale=scaling,
        window_size=_reach_both_ways(sliding_window),
    )
    return output.unsqueeze(0), None


def packed_varlen(
    module: torch.nn.Module,  # noqa: ARG001
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: None,  # noqa: ARG001
    *,
    pack: Pack,
    scaling: float,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """As `packed_flash`, by the kernels that torch brings along."""
    pack.attention_calls += 1
    borders = pack.keep("cumulative lengths", pack.cumulative_lengths)
    output: Tensor = import_module("torch.nn.attention.varlen").varlen_attn(
        *_by_token(query, key, value),
        borders,
        borders,
        pack.longest,
        pack.longest,
        scale=scaling,
        window_size=_reach_both_ways(sliding_window),
    )
    return output.unsqueeze(0), None


def packed_eager(
    module: torch.nn.Module,  # noqa: ARG001
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: None,  # noqa: ARG001
    *,
    pack: Pack,
    scaling: float,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """As `packed_sdpa`, with the scores written out."""
    pack.attention_calls += 1
    parts = [
        _eager(query[:, :, start:end], key[:, :, start:end], value[:, :, start:end], scaling, sliding_window)
        for start, end in pack.spans
    ]
    return torch.cat(parts, dim=1), None


def _eager(query: Tensor, key: Tensor, value: Tensor, scaling: float, sliding_window: int | None) -> Tensor:
    scores = query @ key.transpose(2, 3) * scaling
    if sliding_window is not None:
        place = torch.arange(query.shape[2], device=query.device)
        scores = scores.masked_fill((place.unsqueeze(1) - place).abs() >= sliding_window, float("-inf"))
    return (scores.softmax(-1, dtype=torch.float32).to(query.dtype) @ value).transpose(1, 2)


def _by_token(*states: Tensor) -> list[Tensor]:
    """From (1, heads, total, width) to (total, heads, width)."""
    return [each[0].transpose(0, 1) for each in states]


def _reach_both_ways(sliding_window: int | None) -> tuple[int, int]:
    # transformers hands over half the window plus one: a token sees those at a distance below that.
    reach = -1 if sliding_window is None else sliding_window - 1
    return reach, reach
