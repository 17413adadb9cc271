"""A network of transformers through which a whole pack goes in one pass; what a family does otherwise, it overrides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from plimsoll_server.models.errors import LeakError, ModelError
from plimsoll_server.models.family import Between
from plimsoll_server.models.filling import filled_up, rows_for_new_kernels
from plimsoll_server.models.outputs import Spans, label_logits, token_labels
from plimsoll_server.models.pack import Pack
from plimsoll_server.models.packed_linear import pack_linears
from plimsoll_server.models.pooling import embeddings, pooled
from plimsoll_server.types import ModelInfo, Output, Tokens


class PackedModel(ABC):
    """One loaded network. Its heads run here: in the network's own `forward` they know of one sequence only."""

    def __init__(self, network: PreTrainedModel, info: ModelInfo) -> None:
        self.info = info
        self._network: Any = network
        self._device = torch.device(info.device)
        _require_encoder(self._network.config)
        self._weights = sum(weight.numel() for weight in self._layers().parameters())
        self._quicken()
        for layer in self._layers()[1:]:
            layer.register_forward_pre_hook(_call_between, with_kwargs=True)

    @torch.inference_mode()
    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        pack = Pack(self.filled(batch) if self._device.type == "cpu" else batch, self._device, between)
        return self._read(self.encode(pack), pack.spans[: len(batch)])

    def filled(self, batch: Sequence[Tokens]) -> list[Tokens]:
        """The batch, and behind it what its pack is filled up with on a CPU."""
        return filled_up(batch, self.info.window, rows_for_new_kernels(self._weights, torch.get_num_threads()))

    def encode(self, pack: Pack) -> Tensor:
        """Hidden states of shape (total, width). Raises LeakError."""
        hidden: Tensor = self._network.base_model(
            input_ids=pack.input_ids, position_ids=self._positions(pack), pack=pack
        ).last_hidden_state[0]
        layers = self._network.config.num_hidden_layers
        if pack.attention_calls != layers:
            raise LeakError(f"packed attention ran {pack.attention_calls} times in {layers} layers")
        return hidden

    @abstractmethod
    def _layers(self) -> nn.ModuleList:
        """In the order in which they run."""

    def _quicken(self) -> None:
        """Has the layers compute the same in less time, where that can be done."""
        pack_linears(self._layers())

    @abstractmethod
    def _text_logits(self, rows: Tensor) -> Tensor:
        """Pooled hidden states (sequences, width) to logits (sequences, labels)."""

    def _token_logits(self, hidden: Tensor) -> Tensor:
        """Hidden states (total, width) to logits (total, labels)."""
        logits: Tensor = self._network.classifier(hidden)
        return logits

    def _positions(self, pack: Pack) -> Tensor:
        return pack.position_ids

    def _read(self, hidden: Tensor, spans: Spans) -> list[Output]:
        if self.info.task == "text-classification":
            return label_logits(self._text_logits(pooled(hidden, spans, self.info.pooling)))
        if self.info.task == "token-classification":
            return token_labels(hidden, self._token_logits, len(self.info.labels), spans)
        return embeddings(hidden, spans, self.info.pooling)


def _require_encoder(config: Any) -> None:
    """Packed attention looks both ways: a decoder's weights would be served with an attention they never saw."""
    if getattr(config, "is_decoder", False) or getattr(config, "add_cross_attention", False):
        raise ModelError(
            f"config.json makes this {config.model_type} a decoder (is_decoder or add_cross_attention); "
            "serve a model that was trained as an encoder"
        )


def _call_between(layer: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:  # noqa: ARG001
    """A hook before a layer. The pack and not the model knows whom to call: several may be on their way at once."""
    pack: Pack | None = keywords.get("pack")
    if pack is None:
        raise LeakError(f"{type(layer).__name__} ran without the pack, so its sequences may have seen each other")
    if pack.between is not None:
        pack.between()
