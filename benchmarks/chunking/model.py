"""A small ModernBERT for each use, trained here on short texts, with a window that holds the longest."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

from chunking.texts import COMMON, section, vocabulary
from plimsoll_server.train.demo.batches import batches
from plimsoll_server.train.demo.loop import train
from plimsoll_server.train.demo.network import build_network
from plimsoll_server.train.demo.recipe import Recipe
from plimsoll_server.train.demo.repeatable import repeatable
from plimsoll_server.train.demo.tokenizer import END, SPECIAL_TOKENS, START, UNKNOWN, save_tokenizer

WINDOW = 65_536
LONGEST_LEARNT = 384
_STREAM_TOKENS = 60_000
RECIPE = Recipe(
    vocabulary=len(SPECIAL_TOKENS) + len(vocabulary()),
    hidden=32,
    heads=1,
    layers=2,
    intermediate=64,
    local_window=128,
    global_every=2,
    window=WINDOW,
    steps=60,
    batch=2048,
    longest=LONGEST_LEARNT,
    learning_rate=4e-3,
    dropout=0.0,
    classifier_dropout=0.0,
    masked=0.0,
)
"""One global and one local layer."""


def trained_model(folder: Path, labels: Sequence[str]) -> Path:
    """A model that tells `labels` apart by texts of up to LONGEST_LEARNT tokens."""
    tokenizer = _tokenizer()
    draw = random.Random(1)  # noqa: S311  no secret
    with repeatable(RECIPE.seed):
        streams = [_stream(tokenizer, section(label, _STREAM_TOKENS, draw)) for label in labels]
        network: Any = build_network(RECIPE, labels)
        train(network, batches(streams, RECIPE), RECIPE, lambda _: None)
    folder.mkdir(parents=True)
    network.save_pretrained(folder)
    save_tokenizer(tokenizer, folder, WINDOW)
    return folder


def _tokenizer() -> Tokenizer:
    made: Any = Tokenizer(
        WordLevel({word: number for number, word in enumerate((*SPECIAL_TOKENS, *vocabulary()))}, unk_token=UNKNOWN)
    )
    made.pre_tokenizer = WhitespaceSplit()
    made.post_processor = TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(token, SPECIAL_TOKENS.index(token)) for token in (START, END)]
    )
    tokenizer: Tokenizer = made
    return tokenizer


def _stream(tokenizer: Tokenizer, words: Sequence[str]) -> torch.Tensor:
    assert COMMON[0] in tokenizer.get_vocab()
    return torch.tensor(tokenizer.encode(" ".join(words), add_special_tokens=False).ids)
