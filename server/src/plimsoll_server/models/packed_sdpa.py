"""Attention over a pack by torch's own scaled dot product, in memory that is linear in the tokens.

Global layers run one maskless pass per sequence, and local ones a pass per sequence with a mask where all are short.
Else they take the whole pack at once, in blocks of queries with the keys that their window reaches; all blocks but the
first and the last lie at even distances, so they are one batch of overlapping views and one call, with nothing copied.
A dense mask over 32K tokens would take four gigabytes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from plimsoll_server.models.pack import Pack

_BLOCK = 64
"""Queries that share their keys. More would meet more keys out of reach, fewer would keep the processor less busy."""


def packed_sdpa(
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
    """Queries, keys and values of shape (1, heads, total, width) to an output of shape (1, total, heads, width)."""
    pack.attention_calls += 1
    # transformers hands over half the window plus one: a token sees those at a distance below that.
    reach = None if sliding_window is None else sliding_window - 1
    if reach is None or pack.longest <= reach + 1:
        return _each_by_itself(query, key, value, pack, scaling), None
    if pack.longest <= _BLOCK + 2 * reach:
        # No longer than the keys of one block: a sequence by itself meets fewer, and no other's.
        return _each_by_itself(query, key, value, pack, scaling, _band(pack, reach, query)), None
    return _within_reach(query, key, value, pack, scaling, reach), None


def _each_by_itself(
    query: Tensor, key: Tensor, value: Tensor, pack: Pack, scaling: float, mask: Tensor | None = None
) -> Tensor:
    """By a mask of shape (longest, longest), the part of it as long as the sequence."""
    parts = [
        scaled_dot_product_attention(
            query[:, :, start:end],
            key[:, :, start:end],
            value[:, :, start:end],
            attn_mask=None if mask is None else mask[: end - start, : end - start],
            scale=scaling,
        ).transpose(1, 2)
        for start, end in pack.spans
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _band(pack: Pack, reach: int, like: Tensor) -> Tensor:
    """Of shape (longest, longest): zero where a query reaches a key, else minus infinity."""

    def made() -> Tensor:
        place = torch.arange(pack.longest, device=like.device)
        return _hiding((place.unsqueeze(1) - place).abs() > reach, like)

    return pack.keep(("band", reach), made)


def _within_reach(query: Tensor, key: Tensor, value: Tensor, pack: Pack, scaling: float, reach: int) -> Tensor:
    heads, total, width = query.shape[1:]
    output = query.new_empty(1, total, heads, width)
    for queries, keys, count in _blocks(total, reach):
        attended = scaled_dot_product_attention(
            _views(query, queries, count),
            _views(key, keys, count),
            _views(value, keys, count),
            attn_mask=_kept_mask(pack, queries, keys, count, reach, query),
            scale=scaling,
        )
        last = queries.start + count * (queries.stop - queries.start)
        output[0, queries.start : last] = attended.transpose(1, 2).flatten(0, 1)
    return output


def _blocks(total: int, reach: int) -> list[tuple[slice, slice, int]]:
    """Queries, the keys they may reach, and how often both repeat at a distance of _BLOCK."""
    head = max(_BLOCK, reach)
    count = (total - reach - head) // _BLOCK
    if count < 1:
        return [(slice(0, total), slice(0, total), 1)]
    tail = head + count * _BLOCK
    return [
        (slice(0, head), slice(0, head + reach), 1),
        (slice(head, head + _BLOCK), slice(head - reach, head + _BLOCK + reach), count),
        (slice(tail, total), slice(tail - reach, total), 1),
    ]


def _views(states: Tensor, span: slice, count: int) -> Tensor:
    """States (1, heads, total, width) as (count, heads, span, width), each _BLOCK tokens after the one before."""
    _, heads, _, width = states.shape
    _, by_head, by_token, by_number = states.stride()
    return states.as_strided(
        (count, heads, span.stop - span.start, width),
        (_BLOCK * by_token, by_head, by_token, by_number),
        states.storage_offset() + span.start * by_token,
    )


def _kept_mask(pack: Pack, queries: slice, keys: slice, count: int, reach: int, like: Tensor) -> Tensor:
    name = ("mask", queries.start, queries.stop, keys.start, keys.stop, reach)
    return pack.keep(name, lambda: _mask(pack, queries, keys, count, reach, like))


def _mask(pack: Pack, queries: slice, keys: slice, count: int, reach: int, like: Tensor) -> Tensor:
    """Of shape (count, 1, queries, keys): zero where a query reaches a key of its own sequence, else minus infinity."""
    row = torch.arange(queries.start, queries.stop, device=like.device).unsqueeze(1)
    column = torch.arange(keys.start, keys.stop, device=like.device)
    hidden = ((row - column).abs() > reach).unsqueeze(0)
    if len(pack.spans) > 1:
        hidden = hidden | (_owners(pack, queries, count).unsqueeze(2) != _owners(pack, keys, count).unsqueeze(1))
    return _hiding(hidden, like).unsqueeze(1).expand(count, 1, -1, -1)


def _hiding(hidden: Tensor, like: Tensor) -> Tensor:
    return torch.zeros(hidden.shape, dtype=like.dtype, device=like.device).masked_fill_(hidden, float("-inf"))


def _owners(pack: Pack, span: slice, count: int) -> Tensor:
    """Of shape (count, span): to which sequence each token belongs."""
    owners = pack.keep("owners", pack.owners)
    return owners.as_strided((count, span.stop - span.start), (_BLOCK, 1), span.start)
