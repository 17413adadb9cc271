"""How a model does on rows that it never learnt from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from plimsoll_server.train.data import Example
from plimsoll_server.train.loop import labels_of, read

_READ_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Examined:
    loss: float
    accuracy: float


@torch.no_grad()
def examine(network: Any, examples: Sequence[Example], device: torch.device, *, packed: bool) -> Examined:
    """Every process that shares the network has to ask, with the same examples."""
    network.train(mode=False)
    loss = right = 0.0
    for start in range(0, len(examples), _READ_AT_ONCE):
        batch = examples[start : start + _READ_AT_ONCE]
        logits, labels = read(network, batch, device, packed=packed)[0].float(), labels_of(batch, device)
        loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
        right += int((logits.argmax(-1) == labels).sum())
    return Examined(loss / len(examples), right / len(examples))


def majority_share(examples: Sequence[Example]) -> float:
    """What always giving the most frequent label would get right."""
    [(_, most)] = Counter(example.label for example in examples).most_common(1)
    return most / len(examples)
