"""ModernBERT: alternating global and local attention, rotary positions, up to 32K tokens."""

from __future__ import annotations

from torch import Tensor, nn
from transformers.models.modernbert.modeling_modernbert import (
    ModernBertForSequenceClassification,
    ModernBertForTokenClassification,
    ModernBertModel,
)

from plimsoll_server.models.family import Family
from plimsoll_server.models.modernbert_on_cpu import quicken
from plimsoll_server.models.packed_model import PackedModel


class ModernBert(PackedModel):
    def _layers(self) -> nn.ModuleList:
        layers: nn.ModuleList = self._network.base_model.layers
        return layers

    def _quicken(self) -> None:
        quicken(self._layers())

    def _text_logits(self, rows: Tensor) -> Tensor:
        logits: Tensor = self._network.classifier(self._network.head(rows))
        return logits

    def _token_logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self._network.classifier(self._network.head(hidden))
        return logits


MODERNBERT = Family(
    model_type="modernbert",
    networks={
        "text-classification": ModernBertForSequenceClassification,
        "token-classification": ModernBertForTokenClassification,
        "feature-extraction": ModernBertModel,
    },
    serve=ModernBert,
)
