"""A small ModernBERT for each use, trained here on short texts, with a window that holds the longest."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from transformers import ModernBertForTokenClassification

from chunking.texts import vocabulary
from chunking.uses import Use
from plimsoll_server.train.demo.batches import Batch, framed
from plimsoll_server.train.demo.loop import train
from plimsoll_server.train.demo.network import build_network
from plimsoll_server.train.demo.recipe import Recipe
from plimsoll_server.train.demo.repeatable import repeatable
from plimsoll_server.train.demo.tokenizer import END, SPECIAL_TOKENS, START, UNKNOWN, save_tokenizer

WINDOW = 65_536
LONGEST_LEARNT = 512
_IDS = {word: number for number, word in enumerate((*SPECIAL_TOKENS, *vocabulary()))}
RECIPE = Recipe(
    vocabulary=len(_IDS),
    hidden=32,
    heads=1,
    layers=2,
    intermediate=64,
    local_window=128,
    global_every=2,
    window=WINDOW,
    steps=400,
    batch=2048,
    longest=LONGEST_LEARNT,
    learning_rate=4e-3,
    dropout=0.0,
    classifier_dropout=0.0,
    label_smoothing=0.0,
)
"""One global and one local layer."""


class _EachToken(nn.Module):
    """A token's label is learnt as a text's is."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor) -> SimpleNamespace:
        """From ids [texts, length] to logits [tokens of all texts, labels], without the start and end tokens."""
        return SimpleNamespace(logits=self.network(tokens).logits[:, 1:-1].flatten(0, 1))


def trained_model(folder: Path, use: Use) -> Path:
    """A model for `use` that has seen texts of up to LONGEST_LEARNT tokens."""
    with repeatable(RECIPE.seed):
        network: Any = build_network(RECIPE, use.labels)
        learning: Any = network
        if use.by_token:
            network = ModernBertForTokenClassification(network.config)
            learning = _EachToken(network)
        train(learning, _batches(use), RECIPE, lambda _: None)
    folder.mkdir(parents=True)
    network.save_pretrained(folder)
    save_tokenizer(_tokenizer(), folder, WINDOW)
    return folder


def _batches(use: Use) -> Iterator[Batch]:
    """Lengths are even on the logarithmic scale."""
    draw = random.Random(1)  # noqa: S311  no secret
    for _ in range(RECIPE.steps):
        length = round(math.exp(draw.uniform(math.log(RECIPE.shortest), math.log(RECIPE.longest))))
        texts = use.texts(length, RECIPE.batch // length, draw)
        answers = [answer for text in texts for answer in (text.tags if use.by_token else [text.label])]
        ids = torch.tensor([[_IDS[word] for word in text.words] for text in texts])
        yield Batch(framed(ids), torch.tensor([use.labels.index(answer) for answer in answers]))


def _tokenizer() -> Tokenizer:
    made: Any = Tokenizer(WordLevel(_IDS, unk_token=UNKNOWN))
    made.pre_tokenizer = WhitespaceSplit()
    made.post_processor = TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(token, SPECIAL_TOKENS.index(token)) for token in (START, END)]
    )
    tokenizer: Tokenizer = made
    return tokenizer
