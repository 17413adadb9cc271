"""The loop as one writes it first: rows padded to the longest of their batch, every layer for every token."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW

from plimsoll_server.models.scaled import ScaledForSequenceClassification
from plimsoll_server.train.demo.tokenizer import PAD, SPECIAL_TOKENS
from plimsoll_server.train.scaled.examples import Batch, Group
from plimsoll_server.train.scaled.recipe import ScaledRecipe

_PAD = SPECIAL_TOKENS.index(PAD)
ATTENTION = "sdpa"


class PlainLoop:
    def __init__(self, network: ScaledForSequenceClassification, recipe: ScaledRecipe) -> None:
        self._network = network
        self._largest_norm = recipe.largest_gradient_norm
        self._optimizer = AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)

    def step(self, group: Group) -> float:
        """Changes the weights once. Returns the mean loss of the group's batches."""
        total = 0.0
        for batch in group:
            input_ids, mask = _padded(batch)
            logits = self._network(input_ids, mask)
            loss = functional.cross_entropy(logits, torch.tensor([example.label for example in batch])) / len(group)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        nn.utils.clip_grad_norm_(self._network.parameters(), self._largest_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return total


def _padded(batch: Batch) -> tuple[Tensor, Tensor]:
    """Ids and mask, both (examples, longest)."""
    rows = nn.utils.rnn.pad_sequence(
        [torch.tensor(example.tokens) for example in batch], batch_first=True, padding_value=_PAD
    )
    return rows, (rows != _PAD).long()
