"""Attention over a pack, in which each sequence sees only itself; plugged into the unmodified model of transformers.

Memory stays linear in the tokens for sdpa: global layers run one maskless pass per sequence, local layers take blocks
of queries against the keys that their window reaches. A dense mask over 32K tokens would take a gigabyte per layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from plimsoll_server.models.pack import Pack

_BLOCK = 128
"""Queries that a local layer takes at once: as many as the usual window is wide."""

_Kernel = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None, float], torch.Tensor]


def register_packed_attention() -> None:
    """Makes `packed_flash`, `packed_sdpa` and `packed_eager` known to transformers."""
    AttentionInterface.register("packed_flash", packed_flash)
    AttentionInterface.register("packed_sdpa", packed_sdpa)
    AttentionInterface.register("packed_eager", packed_eager)


def packed_sdpa(
    module: torch.nn.Module,  # noqa: ARG001  the interface's signature
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,  # noqa: ARG001
    *,
    pack: Pack,
    scaling: float,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Queries, keys and values of shape (1, heads, total, width) to an output of shape (1, total, heads, width)."""
    return _attend(_sdpa, query, key, value, pack, scaling, sliding_window), None


def packed_eager(
    module: torch.nn.Module,  # noqa: ARG001
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,  # noqa: ARG001
    *,
    pack: Pack,
    scaling: float,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """As `packed_sdpa`, with the scores written out: quadratic memory, for comparison and for odd hardware."""
    return _attend(_eager, query, key, value, pack, scaling, sliding_window), None


def packed_flash(
    module: torch.nn.Module,  # noqa: ARG001
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,  # noqa: ARG001
    *,
    pack: Pack,
    scaling: float,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """As `packed_sdpa`, by flash-attn's kernel for sequences of different lengths."""
    pack.attention_calls += 1
    borders = pack.cumulative_lengths()
    reach = -1 if sliding_window is None else sliding_window - 1
    # An extra of the GPU image, absent elsewhere.
    output: torch.Tensor = import_module("flash_attn").flash_attn_varlen_func(
        query[0].transpose(0, 1),
        key[0].transpose(0, 1),
        value[0].transpose(0, 1),
        borders,
        borders,
        pack.longest,
        pack.longest,
        softmax_scale=scaling,
        window_size=(reach, reach),
    )
    return output.unsqueeze(0), None


def _attend(
    kernel: _Kernel,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    pack: Pack,
    scaling: float,
    sliding_window: int | None,
) -> torch.Tensor:
    pack.attention_calls += 1
    # transformers hands over half the window plus one: a token sees those at a distance below that.
    reach = None if sliding_window is None else sliding_window - 1
    output = query.new_empty(1, query.shape[2], query.shape[1], query.shape[3])
    for queries, keys in _blocks(pack, reach):
        mask = None if reach is None else _window_mask(pack, queries, keys, reach, query)
        attended = kernel(query[:, :, queries], key[:, :, keys], value[:, :, keys], mask, scaling)
        output[:, queries] = attended.transpose(1, 2)
    return output


def _blocks(pack: Pack, reach: int | None) -> Iterator[tuple[slice, slice]]:
    """Which queries meet which keys, so that every pair within reach meets exactly once."""
    for start, end in pack.spans:
        if reach is None or end - start <= reach + 1:
            yield slice(start, end), slice(start, end)
            continue
        for first in range(start, end, _BLOCK):
            last = min(first + _BLOCK, end)
            yield slice(first, last), slice(max(start, first - reach), min(end, last + reach))


def _window_mask(pack: Pack, queries: slice, keys: slice, reach: int, like: torch.Tensor) -> torch.Tensor | None:
    """Zero where a query reaches a key, minus infinity where not; None where every query reaches every key."""
    rows, columns, lead = queries.stop - queries.start, keys.stop - keys.start, queries.start - keys.start
    if max(lead + rows - 1, columns - 1 - lead) <= reach:
        return None

    def make() -> torch.Tensor:
        row = torch.arange(rows, device=like.device).unsqueeze(1) + lead
        column = torch.arange(columns, device=like.device)
        mask = torch.zeros(rows, columns, dtype=like.dtype, device=like.device)
        return mask.masked_fill_((row - column).abs() > reach, float("-inf"))

    return pack.mask((rows, columns, lead, reach), make)


def _sdpa(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float
) -> torch.Tensor:
    return scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)


def _eager(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float
) -> torch.Tensor:
    scores = query @ key.transpose(2, 3) * scaling
    if mask is not None:
        scores = scores + mask
    return scores.softmax(-1, dtype=torch.float32).to(query.dtype) @ value
