"""Scaled models of random weights: the published shape, or a small one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from plimsoll_server.models.scaled import ScaledConfig, ScaledForSequenceClassification
from server_builders import save_tokenizer, word_tokenizer

SMALL = {
    "vocab_size": 300,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "intermediate_size": 48,
}
LABELS = ("sea", "land", "sky")


def scaled_network(**overrides: Any) -> ScaledForSequenceClassification:
    """Weights large enough that every token and layer matters."""
    torch.manual_seed(11)
    named: dict[str, Any] = {
        "id2label": dict(enumerate(LABELS)),
        "label2id": {name: i for i, name in enumerate(LABELS)},
    }
    config = ScaledConfig(**{**SMALL, "initializer_range": 0.3, **named, **overrides})
    return reading(ScaledForSequenceClassification(config))


def reading(network: Any) -> ScaledForSequenceClassification:
    """The network, told that it is not in training."""
    made: ScaledForSequenceClassification = network.eval()
    return made


def scaled_model(folder: Path, **overrides: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    scaled_network(**overrides).save_pretrained(folder)
    save_tokenizer(word_tokenizer(["tide", "tyre", "cloud", "the"]), folder)
    return folder
