"""Batches without padding: all spans of a batch have one length, and each batch draws its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from plimsoll_server.train.demo.corpus import Module
from plimsoll_server.train.demo.recipe import Recipe
from plimsoll_server.train.demo.tokenizer import END, MASK, SPECIAL_TOKENS, START

_START, _END, _MASK = (SPECIAL_TOKENS.index(token) for token in (START, END, MASK))


@dataclass(frozen=True)
class Batch:
    tokens: Tensor
    """Ids, [spans, length]."""
    topics: Tensor
    """Indices of labels, [spans]."""


def topic_streams(modules: Sequence[Module], tokenizer: Tokenizer, labels: Sequence[str]) -> list[Tensor]:
    """Per label, the ids of all its docstrings, one after the other: a span may run on into the next module."""
    return [
        torch.tensor(
            [
                token
                for module in modules
                if module.topic == label
                for encoding in tokenizer.encode_batch(list(module.docstrings), add_special_tokens=False)
                for token in encoding.ids
            ]
        )
        for label in labels
    ]


def batches(streams: Sequence[Tensor], recipe: Recipe) -> Iterator[Batch]:
    """`recipe.steps` batches of about `recipe.batch` tokens, every topic equally often, the same for the same seed."""
    generator = torch.Generator().manual_seed(recipe.seed)
    longest = min(recipe.longest, *(len(stream) for stream in streams))
    for _ in range(recipe.steps):
        length = _draw_length(recipe.shortest, longest, generator)
        count = max(len(streams), recipe.batch // length)
        topics = torch.randperm(count, generator=generator) % len(streams)
        spans = torch.stack([_draw_span(streams[topic], length, generator) for topic in topics.tolist()])
        hidden = torch.rand(spans.shape, generator=generator) < recipe.masked
        yield Batch(framed(spans.masked_fill(hidden, _MASK)), topics)


def _draw_length(shortest: int, longest: int, generator: torch.Generator) -> int:
    """Even on the logarithmic scale: as many between 20 and 40 as between 80 and 160."""
    low, high = math.log(shortest), math.log(longest)
    return round(math.exp(low + (high - low) * torch.rand((), generator=generator).item()))


def _draw_span(stream: Tensor, length: int, generator: torch.Generator) -> Tensor:
    start = int(torch.randint(len(stream) - length + 1, (), generator=generator))
    return stream[start : start + length]


def framed(spans: Tensor) -> Tensor:
    """Ids [spans, length] with the start and end tokens around each span."""
    count = len(spans)
    return torch.cat([torch.full((count, 1), _START), spans, torch.full((count, 1), _END)], dim=1)
