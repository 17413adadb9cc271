"""What a family has to say of itself, and what a loaded model can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from transformers import PreTrainedModel

from plimsoll_server.types import ModelInfo, Output, Tokens

Between = Callable[[], None]


class Model(Protocol):
    """A loaded model. `forward` runs each sequence as if it were alone, whatever else is in the batch.

    `between` is called on the same thread before each layer but the first. It may call `forward` again: both give what
    they would without each other, to the bit. What it raises ends the forward pass.

    An output may hold values that are not finite: whoever runs the model decides what becomes of it.
    """

    info: ModelInfo

    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]: ...


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how a model's numbers live."""

    device: torch.device
    dtype: torch.dtype
    attention: str
    """flash, sdpa or eager."""


@dataclass(frozen=True, slots=True)
class Family:
    model_type: str
    """The `model_type` of the family's config.json."""
    networks: Mapping[str, type[PreTrainedModel]]
    """The class of transformers for each task that the family serves."""
    serve: Callable[[PreTrainedModel, ModelInfo], Model]
