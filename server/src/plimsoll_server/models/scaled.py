"""`scaled`: a small encoder with learned positions, for texts of up to 128 tokens that need an answer in milliseconds.

The network is the project's own; `plimsoll-server train` makes one.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from plimsoll_server.models.encoder import Encoder, EncoderConfig, EncoderForSequenceClassification, EncoderLayer
from plimsoll_server.models.family import Family
from plimsoll_server.models.pack import Pack


class ScaledConfig(EncoderConfig):  # type: ignore[no-untyped-call]
    """The defaults are the family's published shape: 9.6 million parameters."""

    model_type = "scaled"


class Layer(EncoderLayer):
    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.up = nn.Linear(config.hidden_size, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, config.hidden_size)

    def feed_forward(self, states: Tensor, pack: Pack | None) -> Tensor:  # noqa: ARG002  the interface's signature
        added: Tensor = self.down(functional.gelu(self.up(states)))
        return added


class ScaledForSequenceClassification(EncoderForSequenceClassification):  # type: ignore[no-untyped-call]
    config_class = ScaledConfig
    base_model_prefix = "scaled"
    layer = Layer


class Scaled(Encoder):
    """One loaded network."""


SCALED = Family(
    model_type="scaled",
    networks={"text-classification": ScaledForSequenceClassification},
    serve=Scaled,
)
