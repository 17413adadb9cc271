"""XLM-RoBERTa: BERT's layers, with positions that start behind the padding token's id."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.xlm_roberta.modeling_xlm_roberta import (
    XLMRobertaForSequenceClassification,
    XLMRobertaForTokenClassification,
    XLMRobertaModel,
)

from plimsoll_server.models.family import Family
from plimsoll_server.models.pack import Pack
from plimsoll_server.models.packed_model import PackedModel


class XlmRoberta(PackedModel):
    def _layers(self) -> nn.ModuleList:
        layers: nn.ModuleList = self._network.base_model.encoder.layer
        return layers

    def _positions(self, pack: Pack) -> Tensor:
        """Counted from behind the padding token's id. A padding token within a text is not counted and has that id for
        its position, as in transformers."""
        padding = _first_position(self._network.config) - 1
        text = pack.input_ids != padding
        counted = text.cumsum(1)
        starts = torch.tensor(pack.borders[:-1], device=text.device)
        before = (counted - text.long())[:, starts]
        return (counted - before[:, pack.owners()]) * text + padding

    def _text_logits(self, rows: Tensor) -> Tensor:
        # The head takes the first token of each sequence: here each has no other.
        logits: Tensor = self._network.classifier(rows.unsqueeze(1))
        return logits


def _first_position(config: Any) -> int:
    return int(config.pad_token_id) + 1


def _window(config: Any) -> int:
    return int(config.max_position_embeddings) - _first_position(config)


XLM_ROBERTA = Family(
    model_type="xlm-roberta",
    networks={
        "text-classification": XLMRobertaForSequenceClassification,
        "token-classification": XLMRobertaForTokenClassification,
        "feature-extraction": XLMRobertaModel,
    },
    serve=XlmRoberta,
    window=_window,
    backbone_options={"add_pooling_layer": False},
)
