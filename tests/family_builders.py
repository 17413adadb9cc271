"""Small models of every family, by random weights, and what transformers itself answers with them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedModel

from plimsoll_server.config import ModelConfig
from plimsoll_server.models.family import Family, Model, Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.models.registry import family_named
from plimsoll_server.types import Tokens
from server_builders import CLS, PAD, SEP, byte_tokenizer, save_tokenizer

TASKS = ("text-classification", "token-classification", "feature-extraction")
POSITIONS = 320


def family_model(folder: Path, family: str, task: str, **overrides: Any) -> Path:
    """Random weights, large enough that every token and layer matters."""
    tokenizer = byte_tokenizer()
    settings = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": POSITIONS,
        "pad_token_id": PAD,
        "bos_token_id": CLS,
        "eos_token_id": SEP,
        "num_labels": 3,
        **overrides,
    }
    kind = family_named(family)
    torch.manual_seed(7)
    network = kind.networks[task](AutoConfig.for_model(kind.model_type, **settings), **_options(kind, task))
    for weights in network.parameters():
        if weights.dim() > 1:
            torch.nn.init.normal_(weights, 0.0, 0.3)
    folder.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    return folder


def load_family(folder: Path, family: str, task: str, attention: str = "sdpa") -> Model:
    wanted = ModelConfig.model_validate({"location": str(folder), "family": family, "task": task})
    return load_model(wanted, Placement(torch.device("cpu"), torch.float32, attention))


def plain_network(folder: Path, family: str, task: str) -> Any:
    """The model as transformers runs it by itself: one sequence at a time, its own head."""
    kind = family_named(family)
    network: PreTrainedModel = kind.networks[task].from_pretrained(
        folder, attn_implementation="eager", **_options(kind, task)
    )
    network.train(mode=False)
    return network


@torch.inference_mode()
def plain_numbers(network: Any, task: str, tokens: Tokens, pooling: str) -> list[float]:
    """What an output's `numbers` should be."""
    answer = network(input_ids=torch.tensor([list(tokens)]), attention_mask=torch.ones(1, len(tokens)))
    if task == "text-classification":
        return [float(number) for number in answer.logits[0]]
    if task == "token-classification":
        return [float(number) for number in answer.logits[0].softmax(-1).max(-1).values]
    hidden = answer.last_hidden_state[0]
    return [float(number) for number in (hidden.mean(0) if pooling == "mean" else hidden[0])]


def sequence(length: int, seed: int = 0) -> Tokens:
    draw = random.Random(length * 1000 + seed)
    return [draw.randrange(4, 260) for _ in range(length)]


def _options(kind: Family, task: str) -> dict[str, Any]:
    return dict(kind.backbone_options) if task == "feature-extraction" else {}
