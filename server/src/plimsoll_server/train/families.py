"""The families that `plimsoll-server train` makes: one entry each, beside the family's section in `config.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from plimsoll_server.models.bayesian import BayesianConfig, BayesianForSequenceClassification
from plimsoll_server.models.moe import MoeConfig, MoeForSequenceClassification
from plimsoll_server.models.scaled import ScaledConfig, ScaledForSequenceClassification
from plimsoll_server.train.attention import ATTENTION, register_training_attention
from plimsoll_server.train.balance import BalanceLoss
from plimsoll_server.train.config import AnyModel
from plimsoll_server.train.data import Example
from plimsoll_server.train.settle import settle


class ExtraLoss(Protocol):
    def __call__(self, mask: Tensor | None) -> Tensor:
        """What is added to the loss of the forward pass that has just run. `mask`: (rows, tokens), 1 where there is
        text; None of a pack, which has no padding."""


@dataclass(frozen=True, slots=True)
class TrainedFamily:
    config: type[PreTrainedConfig]
    network: type[PreTrainedModel]
    """With `layers`; with `read(pack)` where it is packed, else called with ids and mask (rows, tokens). Gives logits
    (rows, labels)."""
    packed: bool = True
    extra_loss: Callable[[nn.Module, Any], ExtraLoss] | None = None
    """From the network and the family's section of the configuration."""
    finish: Callable[[Any, Sequence[Example], Sequence[Example]], None] | None = None
    """What is done to the network with the best weights: by rows that it learnt from, and rows that are held out."""


FAMILIES: Mapping[str, TrainedFamily] = {
    "bayesian": TrainedFamily(BayesianConfig, BayesianForSequenceClassification, finish=settle),
    "scaled": TrainedFamily(ScaledConfig, ScaledForSequenceClassification),
    "moe": TrainedFamily(
        MoeConfig,
        MoeForSequenceClassification,
        extra_loss=lambda network, model: BalanceLoss(network, model.balance),
    ),
}


def build_network(model: AnyModel, vocabulary: int, labels: Sequence[str]) -> Any:
    """With weights drawn from torch's global generator."""
    register_training_attention()
    family = FAMILIES[model.family]
    settings: dict[str, Any] = {
        **model.shape.model_dump(),
        "vocab_size": vocabulary,
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        "attn_implementation": ATTENTION if family.packed else "sdpa",
    }
    make: Any = family.network
    return make(family.config(**settings))
