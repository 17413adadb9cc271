"""The operator's arithmetic counts the weights that the server's networks have."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import ModernBertConfig
from transformers.models.modernbert.modeling_modernbert import ModernBertForSequenceClassification

from plimsoll_operator.load_line import parameter_count
from plimsoll_operator.spec import Dimensions
from plimsoll_server.models.moe import MoeConfig, MoeForSequenceClassification
from plimsoll_server.models.scaled import ScaledConfig, ScaledForSequenceClassification

SIZES: dict[str, Any] = {
    "vocab_size": 30_000,
    "hidden_size": 768,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "intermediate_size": 1152,
}
DIMENSIONS: dict[str, Any] = {
    "vocab_size": 30_000,
    "hidden_size": 768,
    "heads": 12,
    "layers": 12,
    "intermediate_size": 1152,
}


def weights(network: Any, config: Any) -> int:
    with torch.device("meta"):
        return sum(weight.numel() for weight in network(config).parameters())


@pytest.mark.parametrize(
    ("network", "config", "further"),
    [
        pytest.param(
            ModernBertForSequenceClassification, ModernBertConfig(pad_token_id=0, **SIZES), {}, id="modernbert"
        ),
        pytest.param(MoeForSequenceClassification, MoeConfig(**SIZES), {"experts": 8}, id="moe"),
    ],
)
def test_of_a_gated_encoder_and_of_a_mixture_of_experts(network: Any, config: Any, further: dict[str, int]) -> None:
    planned = parameter_count(Dimensions(**DIMENSIONS, **further))
    assert planned == pytest.approx(weights(network, config), rel=0.01)


def test_of_an_encoder_without_gates_it_plans_with_a_matrix_too_many() -> None:
    planned, there = (
        parameter_count(Dimensions(**DIMENSIONS)),
        weights(ScaledForSequenceClassification, ScaledConfig(**SIZES)),
    )
    assert 0 <= planned - there < 12 * 768 * 1152
