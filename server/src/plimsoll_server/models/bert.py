"""BERT: learned positions, up to 512 tokens, labels read from the first token through a pooler."""

from __future__ import annotations

from torch import Tensor, nn
from transformers.models.bert.modeling_bert import (
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
)

from plimsoll_server.models.family import Family
from plimsoll_server.models.packed_model import PackedModel


class Bert(PackedModel):
    def _layers(self) -> nn.ModuleList:
        layers: nn.ModuleList = self._network.base_model.encoder.layer
        return layers

    def _text_logits(self, rows: Tensor) -> Tensor:
        # The pooler takes the first token of each sequence: here each has no other.
        logits: Tensor = self._network.classifier(self._network.bert.pooler(rows.unsqueeze(1)))
        return logits


BERT = Family(
    model_type="bert",
    networks={
        "text-classification": BertForSequenceClassification,
        "token-classification": BertForTokenClassification,
        "feature-extraction": BertModel,
    },
    serve=Bert,
    # A pooler that the embeddings do not need, and that many checkpoints lack.
    backbone_options={"add_pooling_layer": False},
)
