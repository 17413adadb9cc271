"""Encoders that cannot be packed, because their attention is not to be replaced: each sequence runs by itself.

DeBERTa, for one, takes the name of any attention function and then never calls it: in a pack its sequences would see
each other and nothing would tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.models.auto import modeling_auto

from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.family import Between, Family, whole_window
from plimsoll_server.models.outputs import label_logits, token_labels
from plimsoll_server.models.pooling import embeddings
from plimsoll_server.types import ModelInfo, Output, Tokens

MODEL_TYPES = ("camembert", "deberta", "deberta-v2", "electra", "ernie", "mpnet", "rembert", "roberta", "roformer")
"""By the `model_type` of config.json. Each was compared with transformers; another one may pad, shift or pool by rules
of its own."""
_FIRST_POSITION_AFTER_PADDING = ("camembert", "mpnet", "roberta")


class Alone:
    """One loaded network, run by its own `forward`."""

    def __init__(self, network: PreTrainedModel, info: ModelInfo) -> None:
        self.info = info
        self._network: Any = network
        self._device = torch.device(info.device)
        self._border = _Border(None)
        for layer in _layers(network, info.layers):
            layer.register_forward_pre_hook(self._cross)

    def _cross(self, *_: object) -> None:
        self._border.cross()

    @torch.inference_mode()
    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        """`between` is called before each layer of each sequence, but for the very first."""
        with self._calling(between):
            return [output for tokens in batch for output in self._read(self._run(tokens))]

    def _run(self, tokens: Tokens) -> Any:
        input_ids = torch.tensor([list(tokens)], device=self._device)
        return self._network(input_ids=input_ids, attention_mask=torch.ones_like(input_ids))

    def _read(self, found: Any) -> list[Output]:
        if self.info.task == "text-classification":
            return label_logits(found.logits)
        if self.info.task == "token-classification":
            logits = found.logits[0]
            return token_labels(logits, lambda rows: rows, logits.shape[1], [(0, len(logits))])
        hidden: Tensor = found.last_hidden_state[0]
        return embeddings(hidden, [(0, len(hidden))], self.info.pooling)

    @contextmanager
    def _calling(self, between: Between | None) -> Iterator[None]:
        """A batch within this one has a border of its own; afterwards this one's is back."""
        outer, self._border = self._border, _Border(between)
        try:
            yield
        finally:
            self._border = outer


class _Border:
    """Between two layers of a batch."""

    def __init__(self, between: Between | None) -> None:
        self._between = between
        self._begun = False

    def cross(self) -> None:
        if self._begun and self._between is not None:
            self._between()
        self._begun = True


def _layers(network: nn.Module, count: int) -> nn.ModuleList:
    for module in network.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise ModelError(f"{type(network).__name__} has no list of {count} layers; this server does not know its kind")


def alone(model_type: str) -> Family:
    """The family of a `model_type` of MODEL_TYPES."""
    backbone = _class(modeling_auto.MODEL_MAPPING_NAMES[model_type])
    poolable = "add_pooling_layer" in signature(backbone.__init__).parameters
    return Family(
        model_type=model_type,
        networks={
            "text-classification": _class(modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES[model_type]),
            "token-classification": _class(modeling_auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES[model_type]),
            "feature-extraction": backbone,
        },
        serve=Alone,
        packing="alone",
        window=_window_behind_padding if model_type in _FIRST_POSITION_AFTER_PADDING else whole_window,
        backbone_options={"add_pooling_layer": False} if poolable else {},
    )


def _class(name: Any) -> type[PreTrainedModel]:
    found: type[PreTrainedModel] = getattr(transformers, name)
    return found


def _window_behind_padding(config: Any) -> int:
    return int(config.max_position_embeddings) - int(config.pad_token_id) - 1
