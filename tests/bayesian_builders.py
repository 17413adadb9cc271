"""Models of the family bayesian with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from moe_builders import LABELS, SMALL
from plimsoll_server.models.bayesian import BayesianConfig, BayesianForSequenceClassification
from server_builders import save_tokenizer, word_tokenizer


def bayesian_model(folder: Path, **overrides: Any) -> Path:
    """Saved to `folder`, with a spread under which weights matter."""
    torch.manual_seed(5)
    config = BayesianConfig(
        **{
            **SMALL,
            "initializer_range": 0.3,
            "id2label": dict(enumerate(LABELS)),
            "label2id": {name: i for i, name in enumerate(LABELS)},
            **overrides,
        }
    )
    network = BayesianForSequenceClassification(config)
    with torch.no_grad():
        network.spread.copy_(torch.randn(network.spread.shape).tril() * 0.05)
    folder.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(folder)
    save_tokenizer(word_tokenizer(["tide", "tyre", "cloud", "the"]), folder)
    return folder
