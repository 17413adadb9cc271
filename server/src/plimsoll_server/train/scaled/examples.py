"""Docstrings as short sequences of tokens, each with the topic of its module, and the batches made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from plimsoll_server.train.demo.corpus import Module
from plimsoll_server.train.demo.tokenizer import END, SPECIAL_TOKENS, START
from plimsoll_server.train.scaled.recipe import ScaledRecipe

_START, _END = (SPECIAL_TOKENS.index(token) for token in (START, END))
_LEAST_TOKENS = 8
"""Of a rest: less says nothing of its topic."""


@dataclass(frozen=True, slots=True)
class Example:
    tokens: tuple[int, ...]
    """Framed; at most as long as the window."""
    label: int


Batch = Sequence[Example]
Group = Sequence[Batch]
"""The batches between two changes of the weights."""


def examples_of(modules: Sequence[Module], tokenizer: Tokenizer, labels: Sequence[str], window: int) -> list[Example]:
    """Each docstring cut into windows; as they come, most of them are much shorter than one."""
    return [
        Example((_START, *part, _END), labels.index(module.topic))
        for module in modules
        for encoding in tokenizer.encode_batch(list(module.docstrings), add_special_tokens=False)
        for part in _cut(encoding.ids, window - 2)
    ]


def _cut(tokens: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(tokens), size):
        part = tokens[start : start + size]
        if start == 0 or len(part) >= _LEAST_TOKENS:
            yield part


def chosen(examples: Sequence[Example], recipe: ScaledRecipe) -> list[Example]:
    """At most `recipe.examples` of them, drawn by the seed."""
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(recipe.seed)).tolist()
    return [examples[index] for index in order[: recipe.examples or len(examples)]]


def groups(examples: Sequence[Example], recipe: ScaledRecipe, epoch: int) -> Iterator[Group]:
    """One epoch, in an order of its own; the last batch and the last group may be smaller."""
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch)
    order = torch.randperm(len(examples), generator=generator).tolist()
    batches = [
        [examples[index] for index in order[start : start + recipe.batch]]
        for start in range(0, len(order), recipe.batch)
    ]
    for start in range(0, len(batches), recipe.accumulation):
        yield batches[start : start + recipe.accumulation]
