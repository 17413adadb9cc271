"""The network: transformers' own ModernBERT, made small, its weights drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import ModernBertConfig, ModernBertForSequenceClassification

from plimsoll_server.train.demo.recipe import Recipe
from plimsoll_server.train.demo.tokenizer import END, PAD, SPECIAL_TOKENS, START


def build_network(recipe: Recipe, labels: Sequence[str]) -> ModernBertForSequenceClassification:
    """Draws from torch's global generator."""
    build: Any = ModernBertForSequenceClassification
    network: ModernBertForSequenceClassification = build(_config(recipe, labels))
    return network


def _config(recipe: Recipe, labels: Sequence[str]) -> ModernBertConfig:
    pad, start, end = (SPECIAL_TOKENS.index(token) for token in (PAD, START, END))
    numbers: dict[str, Any] = {
        "vocab_size": recipe.vocabulary,
        "hidden_size": recipe.hidden,
        "intermediate_size": recipe.intermediate,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "max_position_embeddings": recipe.window,
        "local_attention": recipe.local_window,
        "global_attn_every_n_layers": recipe.global_every,
        "pad_token_id": pad,
        "cls_token_id": start,
        "bos_token_id": start,
        "sep_token_id": end,
        "eos_token_id": end,
        # Attention's own dropout stays 0: it would take the fused kernel away and double the time.
        "embedding_dropout": recipe.dropout,
        "mlp_dropout": recipe.dropout,
        "classifier_dropout": recipe.classifier_dropout,
        "classifier_pooling": "mean",
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
    }
    return ModernBertConfig(**numbers)
