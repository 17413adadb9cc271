"""What a family has to say of itself, and what a loaded model can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from transformers import PreTrainedModel

from plimsoll_server.types import ExpertUse, ModelInfo, Output, Tokens

Between = Callable[[], None]


class Model(Protocol):
    """A loaded model. `forward` runs each sequence as if it were alone, whatever else is in the batch.

    `between` is called on the same thread before each layer but the first. It may call `forward` again: both give what
    they would without each other, to the bit. What it raises ends the forward pass.

    An output may hold values that are not finite: whoever runs the model decides what becomes of it.
    """

    info: ModelInfo

    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]: ...


@runtime_checkable
class HasExperts(Protocol):
    """A model that tells what its experts did since it was last asked, on the thread that runs it."""

    def expert_use(self) -> ExpertUse: ...


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how a model's numbers live."""

    device: torch.device
    dtype: torch.dtype
    attention: str
    """flash, varlen, sdpa or eager."""


def whole_window(config: Any) -> int:
    """The longest sequence in tokens where every position of `config` can be used."""
    return int(config.max_position_embeddings)


@dataclass(frozen=True, slots=True)
class Family:
    model_type: str
    """The `model_type` of the family's config.json."""
    networks: Mapping[str, type[PreTrainedModel]]
    """The class of transformers for each task that the family serves."""
    serve: Callable[[PreTrainedModel, ModelInfo], Model]
    packing: Literal["packed", "alone"] = "packed"
    uncertain: bool = False
    """Whether its models tell their uncertainty."""
    window: Callable[[Any], int] = whole_window
    """From the network's configuration to the longest sequence in tokens."""
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    """How the network of feature-extraction, which has no head, is made otherwise than by default."""

    def attention(self, network: type[PreTrainedModel], wanted: str) -> str:
        """What `network` attends with when `wanted` is: one that cannot be packed has transformers' own only."""
        if self.packing == "packed" or wanted == "eager":
            return wanted
        return "sdpa" if getattr(network, "_supports_sdpa", False) else "eager"

    def attention_name(self, attention: str) -> str:
        """Under which transformers finds it."""
        return f"packed_{attention}" if self.packing == "packed" else attention
