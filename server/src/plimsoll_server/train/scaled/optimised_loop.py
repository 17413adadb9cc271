"""The same steps with less work: the examples of a batch lie end to end without padding, and the last layer is finished
for the token that is read.

Four fifths of the plain loop's time are matrix products, and they cost by the token; so what helps is to have fewer.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch.optim import AdamW

from plimsoll_server.models.pack import Pack
from plimsoll_server.models.scaled import ScaledForSequenceClassification
from plimsoll_server.train.scaled.examples import Group
from plimsoll_server.train.scaled.recipe import ScaledRecipe

_CPU = torch.device("cpu")


class OptimisedLoop:
    def __init__(self, network: ScaledForSequenceClassification, recipe: ScaledRecipe) -> None:
        self._network = network
        self._largest_norm = recipe.largest_gradient_norm
        self._optimizer = AdamW(
            network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )

    def step(self, group: Group) -> float:
        """Changes the weights once. Returns the mean loss of the group's batches."""
        losses = []
        for batch in group:
            logits = self._network.read(Pack([example.tokens for example in batch], _CPU))
            loss = functional.cross_entropy(logits, torch.tensor([example.label for example in batch])) / len(group)
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        nn.utils.clip_grad_norm_(self._network.parameters(), self._largest_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return float(torch.stack(losses).sum())
