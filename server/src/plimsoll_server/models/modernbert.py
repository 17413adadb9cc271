"""ModernBERT: alternating global and local attention, rotary positions, up to 32K tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.models.modernbert.modeling_modernbert import (
    ModernBertForSequenceClassification,
    ModernBertForTokenClassification,
)

from plimsoll_server.models.errors import LeakError
from plimsoll_server.models.family import Between, Family
from plimsoll_server.models.pack import Pack
from plimsoll_server.types import LabelLogits, ModelInfo, Output, TokenLabels, Tokens


class ModernBert:
    """One loaded network. Its head runs here and not in the network's own `forward`, which pools token 0 only."""

    def __init__(self, network: PreTrainedModel, info: ModelInfo) -> None:
        self.info = info
        self._network: Any = network
        self._device = torch.device(info.device)
        for layer in self._network.model.layers[1:]:
            layer.register_forward_pre_hook(_call_between, with_kwargs=True)
        self._read = {"text-classification": self._classify, "token-classification": self._label_tokens}[info.task]

    @torch.inference_mode()
    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        pack = Pack(batch, self._device, between)
        return self._read(self.encode(pack), pack)

    def encode(self, pack: Pack) -> torch.Tensor:
        """Hidden states of shape (total, width)."""
        unmasked = {"full_attention": None, "sliding_attention": None}
        hidden: torch.Tensor = self._network.model(
            input_ids=pack.input_ids, position_ids=pack.position_ids, attention_mask=unmasked, pack=pack
        ).last_hidden_state[0]
        layers = self._network.config.num_hidden_layers
        if pack.attention_calls != layers:
            raise LeakError(f"packed attention ran {pack.attention_calls} times in {layers} layers")
        return hidden

    def _classify(self, hidden: torch.Tensor, pack: Pack) -> list[Output]:
        pooled = torch.stack([self._pool(hidden[start:end]) for start, end in pack.spans])
        logits = self._network.classifier(self._network.head(pooled)).float()
        return [LabelLogits(tuple(row)) for row in logits.tolist()]

    def _pool(self, hidden: torch.Tensor) -> torch.Tensor:
        if self._network.config.classifier_pooling == "cls":
            return hidden[0]
        return hidden.float().mean(dim=0).to(hidden.dtype)

    def _label_tokens(self, hidden: torch.Tensor, pack: Pack) -> list[Output]:
        logits = self._network.classifier(self._network.head(hidden)).float()
        scores, labels = logits.softmax(-1).max(-1)
        return [
            TokenLabels(tuple(labels[start:end].tolist()), tuple(scores[start:end].tolist()))
            for start, end in pack.spans
        ]


def _call_between(layer: torch.nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:  # noqa: ARG001
    """A hook before a layer. The pack and not the model knows whom to call: several may be on their way at once."""
    pack: Pack = keywords["pack"]
    if pack.between is not None:
        pack.between()


MODERNBERT = Family(
    model_type="modernbert",
    networks={
        "text-classification": ModernBertForSequenceClassification,
        "token-classification": ModernBertForTokenClassification,
    },
    serve=ModernBert,
)
