"""Either loop, with a network of its own that starts from the seed's weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch

from plimsoll_server.models.scaled import ScaledConfig, ScaledForSequenceClassification
from plimsoll_server.train.attention import ATTENTION, register_training_attention
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.scaled import plain_loop
from plimsoll_server.train.scaled.examples import Group
from plimsoll_server.train.scaled.optimised_loop import OptimisedLoop
from plimsoll_server.train.scaled.plain_loop import PlainLoop
from plimsoll_server.train.scaled.recipe import LoopName, ScaledRecipe


class Loop(Protocol):
    def step(self, group: Group) -> float: ...


def build(name: LoopName, recipe: ScaledRecipe, labels: Sequence[str]) -> tuple[ScaledForSequenceClassification, Loop]:
    """The same seed gives both loops the same weights to begin with. Seeds torch's global generator."""
    register_training_attention()
    torch.manual_seed(recipe.seed)
    attention = plain_loop.ATTENTION if name == "plain" else ATTENTION
    network = ScaledForSequenceClassification(_config(recipe, labels, attention))
    network.train()
    loop: Loop = PlainLoop(network, recipe) if name == "plain" else OptimisedLoop(network, recipe)
    return network, loop


def finite(loss: float, step: int, recipe: ScaledRecipe) -> float:
    """Raises TrainingError on a loss that is no number."""
    if not math.isfinite(loss):
        raise TrainingError(
            f"expected a finite loss, found {loss} at step {step}; train with another seed, or a "
            f"lower learning_rate than {recipe.learning_rate:g}"
        )
    return loss


def _config(recipe: ScaledRecipe, labels: Sequence[str], attention: str) -> ScaledConfig:
    settings: dict[str, Any] = {
        "vocab_size": recipe.vocabulary,
        "hidden_size": recipe.width,
        "num_attention_heads": recipe.heads,
        "num_hidden_layers": recipe.layers,
        "intermediate_size": recipe.feed_forward,
        "max_position_embeddings": recipe.window,
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        "attn_implementation": attention,
    }
    return ScaledConfig(**settings)
