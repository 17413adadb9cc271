"""DistilBERT: half of BERT's layers, without a pooler and without kinds of token."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers.models.distilbert.modeling_distilbert import (
    DistilBertForSequenceClassification,
    DistilBertForTokenClassification,
    DistilBertModel,
)

from plimsoll_server.models.family import Family
from plimsoll_server.models.packed_model import PackedModel


class DistilBert(PackedModel):
    def _layers(self) -> nn.ModuleList:
        layers: nn.ModuleList = self._network.base_model.transformer.layer
        return layers

    def _text_logits(self, rows: Tensor) -> Tensor:
        logits: Tensor = self._network.classifier(torch.relu(self._network.pre_classifier(rows)))
        return logits


DISTILBERT = Family(
    model_type="distilbert",
    networks={
        "text-classification": DistilBertForSequenceClassification,
        "token-classification": DistilBertForTokenClassification,
        "feature-extraction": DistilBertModel,
    },
    serve=DistilBert,
)
