"""What is measured: networks by their configurations, with random weights. Time and memory do not depend on those."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedModel

from plimsoll_server.models.long_convolution import fft_length
from plimsoll_server.models.spectral import SIZES, SpectralConfig, SpectralForSequenceClassification

Run = Callable[[Tensor], Tensor]
"""Token ids (batch, tokens) to logits (batch, labels)."""

_LABELS = 2
_LABELLED: dict[str, Any] = {"num_labels": _LABELS}
"""As every configuration takes it, though none names it."""
_HEAD_WIDTH = 128
_MOST_HEADS = 128
_INNER_PER_WIDTH = 11008 / 4096
"""As the head's width, of Llama 2 with seven billion parameters (Touvron et al. 2023)."""


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    network: type[PreTrainedModel]
    config: Any
    mixing_flops: Callable[[Any, int, int], float]
    """By configuration, sequences and tokens of each: what all layers take beside products with their weights."""
    parameters: int
    """All of them, embeddings too."""

    def flops(self, batch: int, tokens: int) -> float:
        """Of one forward pass: two for each weight and token, embeddings aside, and the mixing."""
        weights: int = self.parameters - self.config.vocab_size * self.config.hidden_size
        return 2.0 * weights * batch * tokens + self.mixing_flops(self.config, batch, tokens)

    def build(self, device: torch.device, dtype: torch.dtype) -> Run:
        torch.manual_seed(0)
        with torch.device(device), _by_default(dtype):
            made: Any = self.network(self.config)
        made.eval()
        if isinstance(made, SpectralForSequenceClassification):
            return lambda tokens: made(tokens, torch.ones_like(tokens))
        # Without a mask its attention is causal by itself; a mask would have the square of the length in memory.
        return lambda tokens: made(tokens, use_cache=False).logits


def spectral(size: str) -> Contender:
    config = SpectralConfig(**SIZES[size], **_LABELLED)
    return _counted(f"spectral {size}", SpectralForSequenceClassification, config, _transforms)


def llama_like(other: Contender, longest: int) -> Contender:
    """Llama 2's architecture with the layers, the vocabulary and as near as can be the parameters of `other`.

    Its width is the multiple of a head's that comes nearest with Llama 2's proportion of widths; the inner width then
    takes up what is left. `longest`: tokens of a sequence.
    """
    layers: int = other.config.num_hidden_layers
    vocabulary: int = other.config.vocab_size

    def without_inner(width: int) -> int:
        return layers * (4 * width * width + 2 * width) + (vocabulary + 1 + _LABELS) * width

    def left_for_inner(width: int) -> float:
        """Inner width of a layer, of which there are three matrices."""
        return (other.parameters - without_inner(width)) / (layers * 3 * width)

    widths = (_HEAD_WIDTH * heads for heads in range(1, _MOST_HEADS + 1))
    width = min(widths, key=lambda width: abs(left_for_inner(width) - width * _INNER_PER_WIDTH))
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=round(left_for_inner(width)),
        num_hidden_layers=layers,
        num_attention_heads=width // _HEAD_WIDTH,
        max_position_embeddings=longest,
        pad_token_id=0,
        **_LABELLED,
    )
    return _counted("Llama 2", LlamaForSequenceClassification, config, _causal_attention)


def _counted(
    name: str, network: type[PreTrainedModel], config: Any, mixing_flops: Callable[[Any, int, int], float]
) -> Contender:
    """On the meta device: a network that has shapes and no memory."""
    with torch.device("meta"):
        made = network(config)
    return Contender(name, network, config, mixing_flops, sum(weight.numel() for weight in made.parameters()))


def _transforms(config: Any, batch: int, tokens: int) -> float:
    """Of every channel: its filter from its frequencies; and transforms of the filter, of the states and back, each of
    2.5 · n · log2 n since the numbers are real."""
    length = fft_length(tokens)
    of_a_filter = 2.0 * config.num_frequencies * length
    of_transforms = (2 * batch + 1) * 2.5 * length * math.log2(max(2, length))
    return float(config.num_hidden_layers * config.hidden_size * (of_a_filter + of_transforms))


def _causal_attention(config: Any, batch: int, tokens: int) -> float:
    """Scores and sums of values, two each for a channel and a pair of tokens; half of the pairs, since no token looks
    ahead."""
    return float(config.num_hidden_layers * batch * 2 * 2 * config.hidden_size * tokens * tokens / 2)


@contextmanager
def _by_default(dtype: torch.dtype) -> Iterator[None]:
    """Weights are made in `dtype`: by way of float32, the largest would need three times the memory."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
