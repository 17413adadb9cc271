"""Models of experts with random weights, and the formula of a layer as it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from plimsoll_server.models.experts import Experts, Routing
from plimsoll_server.models.moe import MoeConfig, MoeForSequenceClassification
from server_builders import save_tokenizer, word_tokenizer

LABELS = ("sea", "land", "sky")
SMALL = {
    "vocab_size": 300,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "intermediate_size": 24,
    "max_position_embeddings": 128,
}


def moe_model(folder: Path, **overrides: Any) -> Path:
    """Saved to `folder`. Weights large enough that every token, layer and expert matters."""
    torch.manual_seed(11)
    config = MoeConfig(
        **{
            **SMALL,
            "initializer_range": 0.3,
            "id2label": dict(enumerate(LABELS)),
            "label2id": {name: i for i, name in enumerate(LABELS)},
            **overrides,
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    MoeForSequenceClassification(config).save_pretrained(folder)
    save_tokenizer(word_tokenizer(["tide", "tyre", "cloud", "the"]), folder)
    return folder


def token_by_token(experts: Experts, rows: Tensor, routing: Routing, _: object = None) -> Tensor:
    """Rows (tokens, width) to rows: each token through its own experts, one at a time."""
    outputs = []
    for row, chosen, shares in zip(rows, routing.experts.tolist(), routing.shares, strict=True):
        parts = [_expert(experts, number, row) * share for number, share in zip(chosen, shares, strict=True)]
        outputs.append(torch.stack(parts).sum(0))
    return torch.stack(outputs)


def _expert(experts: Experts, number: int, row: Tensor) -> Tensor:
    gate, up = functional.linear(row, experts.gate_up[number]).chunk(2)
    return functional.linear(functional.gelu(gate) * up, experts.down[number])
