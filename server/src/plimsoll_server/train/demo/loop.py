"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from torch import nn
from torch.nn import functional
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import ModernBertForSequenceClassification

from plimsoll_server.train.demo.batches import Batch
from plimsoll_server.train.demo.recipe import Recipe
from plimsoll_server.train.errors import TrainingError

LARGEST_GRADIENT_NORM = 1.0
LAST_LEARNING_RATE = 0.02
"""At the last step, as a share of the highest."""


def train(
    network: ModernBertForSequenceClassification,
    batches: Iterable[Batch],
    recipe: Recipe,
    on_step: Callable[[float], None],
) -> None:
    """Changes the network's weights. `on_step` gets each loss. Raises TrainingError on one that is no number."""
    optimizer = _optimizer(network, recipe)
    schedule = LambdaLR(optimizer, lambda step: learning_rate_share(step, recipe.steps, recipe.warm_up))
    network.train()
    for step, batch in enumerate(batches, start=1):
        logits = network(batch.tokens).logits
        loss = functional.cross_entropy(logits, batch.topics, label_smoothing=recipe.label_smoothing)
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingError(
                f"expected a finite loss, found {value} at step {step} of {recipe.steps}; nothing was saved. "
                f"Train with another --seed (the learning rate was {recipe.learning_rate:g})"
            )
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        on_step(value)
    network.train(mode=False)


def learning_rate_share(step: int, steps: int, warm_up: float) -> float:
    """Linear up over the first share `warm_up` of the steps, then a half cosine down; 1 at the top."""
    rising = max(1, round(warm_up * steps))
    if step < rising:
        return (step + 1) / rising
    done = min(1.0, (step - rising) / max(1, steps - rising))
    return LAST_LEARNING_RATE + (1 - LAST_LEARNING_RATE) * (1 + math.cos(math.pi * done)) / 2


def _optimizer(network: nn.Module, recipe: Recipe) -> Optimizer:
    """Weights decay; norms and biases do not."""
    parameters = list(network.parameters())
    groups = [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))
