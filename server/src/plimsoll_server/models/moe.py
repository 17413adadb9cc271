"""`moe`: an encoder whose feed-forwards are experts, of which each token is given to two of eight.

So it has the weights of a model several times as wide and takes the time of one twice as wide. The network is the
project's own; `plimsoll-server train` makes one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from plimsoll_server.models.encoder import Encoder, EncoderConfig, EncoderForSequenceClassification, EncoderLayer
from plimsoll_server.models.expert_use import ExpertMeter
from plimsoll_server.models.experts import Experts, Router
from plimsoll_server.models.experts_on_cpu import QuickExperts, can_quicken
from plimsoll_server.models.family import Family
from plimsoll_server.models.pack import Pack
from plimsoll_server.types import ExpertUse, ModelInfo


class MoeConfig(EncoderConfig):  # type: ignore[no-untyped-call]
    """The defaults have 8 experts, of which a token is given to 2."""

    model_type = "moe"

    max_position_embeddings: int = 512
    num_experts: int = 8
    num_experts_per_tok: int = 2


class Layer(EncoderLayer):
    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.router = Router(config.hidden_size, config.num_experts, config.num_experts_per_tok)
        self.experts = Experts(config.hidden_size, config.intermediate_size, config.num_experts)

    def feed_forward(self, states: Tensor, pack: Pack | None) -> Tensor:
        rows = states.flatten(0, 1)
        added: Tensor = self.experts(rows, self.router(rows), pack).view(states.shape)
        return added


class MoeForSequenceClassification(EncoderForSequenceClassification):
    config_class = MoeConfig
    base_model_prefix = "moe"
    layer = Layer

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)  # type: ignore[no-untyped-call]
        if isinstance(module, Router | Experts):
            for weight in module.parameters():
                nn.init.normal_(weight, std=self.config.initializer_range)


class Moe(Encoder):
    """One loaded network."""

    def __init__(self, network: PreTrainedModel, info: ModelInfo) -> None:
        super().__init__(network, info)
        layers = self._network.layers
        for layer in layers:
            if can_quicken(layer.experts):
                layer.experts = QuickExperts(layer.experts)
        self._meter = ExpertMeter([layer.router for layer in layers], [layer.experts for layer in layers])

    def expert_use(self) -> ExpertUse:
        return self._meter.take()


MOE = Family(
    model_type=MoeConfig.model_type,
    networks={"text-classification": MoeForSequenceClassification},
    serve=Moe,
)
