"""`spectral`: an encoder whose tokens meet by FFT, in time that grows as n log n with the length.

A layer mixes tokens by a convolution as long as the text, and channels by a feed-forward. From FNet (Lee-Thorp et al.
2021) it has that shape, with a Fourier transform where attention was; from GFNet (Rao et al. 2021) filters that are
learned in the spectrum, one a channel; from AFNO (Guibas et al. 2021) weights of the mixing in eight blocks, with an
eighth of the numbers; and from Hyena (Poli et al. 2023) that a token gates what it gives to the mixture and what it
takes from it, for a filter alone is the same for every text and cannot choose. Filters reach across the whole text,
know of before and after, and feel both ends of it, so there are no embeddings of positions.

The network is the project's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedConfig, PreTrainedModel

from plimsoll_server.models.encoder import Encoder
from plimsoll_server.models.family import Between, Family
from plimsoll_server.models.long_convolution import LongConvolution, fft_length, waves
from plimsoll_server.models.pack import Pack
from plimsoll_server.models.pooling import pooled

Mix = Callable[[LongConvolution, Tensor], Tensor]
"""Runs a layer's convolution over states (batch, tokens, width), each text as if it were alone."""


class SpectralConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """The defaults are the size `small`."""

    model_type = "spectral"

    vocab_size: int = 16384
    hidden_size: int = 1024
    num_frequencies: int = 128
    intermediate_size: int = 1024
    num_hidden_layers: int = 12
    num_gate_blocks: int = 8
    max_position_embeddings: int = 65536
    initializer_range: float = 0.02
    pad_token_id: int | None = 0
    classifier_pooling: str = "mean"


def _size(width: int, frequencies: int, inner: int, layers: int) -> Mapping[str, Any]:
    return {
        "hidden_size": width,
        "num_frequencies": frequencies,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
    }


SIZES: Mapping[str, Mapping[str, Any]] = {
    "small": _size(1024, 128, 1024, 12),
    "medium": _size(2048, 256, 2048, 16),
    "large": _size(3072, 512, 3072, 20),
    "xlarge": _size(4096, 768, 4096, 24),
    "xxlarge": _size(6144, 1024, 6144, 32),
    "ultimate": _size(8192, 1536, 8192, 40),
}
"""Fields of a SpectralConfig."""


class Gates(nn.Module):
    """Of each token and channel, as parts of 1: how much goes into the mixture, and how much is taken from it."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        if width % blocks:
            raise ValueError(f"hidden_size is {width}, expected a multiple of num_gate_blocks, {blocks}")
        self.weight = nn.Parameter(torch.empty(blocks, width // blocks, 2 * width // blocks))

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """States (batch, tokens, width) to two of that shape."""
        blocks = states.view(*states.shape[:-1], len(self.weight), -1)
        given, taken = torch.einsum("...bi,bio->...bo", blocks, self.weight).sigmoid().chunk(2, -1)
        return given.flatten(-2), taken.flatten(-2)


class Layer(nn.Module):
    """A gated convolution and a feed-forward, each on the normalised states and added to them."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        width = config.hidden_size
        self.mixing_norm = nn.LayerNorm(width)
        self.gates = Gates(width, config.num_gate_blocks)
        self.convolution = LongConvolution(width, config.num_frequencies)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, width)

    def forward(self, hidden: Tensor, mix: Mix) -> Tensor:
        """States (batch, tokens, width) to states."""
        states = self.mixing_norm(hidden)
        given, taken = self.gates(states)
        hidden = hidden + taken * mix(self.convolution, given * states)
        added: Tensor = self.down(functional.gelu(self.up(self.feed_forward_norm(hidden))))
        return hidden + added


class SpectralForSequenceClassification(PreTrainedModel):
    """The label is read from the mean of all tokens."""

    config_class = SpectralConfig
    base_model_prefix = "spectral"
    # The server names an attention for every model. This one has none, so each will do.
    _supports_sdpa = True
    _supports_attention_backend = True

    def __init__(self, config: Any) -> None:
        super().__init__(config)  # type: ignore[no-untyped-call]
        if config.classifier_pooling != "mean":
            raise ValueError(f"classifier_pooling is {config.classifier_pooling!r}, expected 'mean' of this family")
        self.token_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels or 1)
        self.post_init()  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)  # type: ignore[no-untyped-call]
        if isinstance(module, Gates):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
        if isinstance(module, LongConvolution):
            # So many waves of energy 1 add up to a filter of about 1: what comes out is as large as what goes in.
            nn.init.normal_(module.spectrum, std=(2 * module.spectrum.shape[1]) ** -0.5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits (batch, labels) of padded rows; both arguments are (batch, tokens), the mask 1 where there is text."""
        hidden = self.token_embeddings(input_ids)
        text = attention_mask.unsqueeze(-1).to(hidden.dtype)
        length = fft_length(input_ids.shape[1])
        basis = waves(self.config.num_frequencies, length, hidden.device)
        for layer in self.layers:
            hidden = layer(hidden, lambda convolution, states: convolution(states * text, basis, length))
        total = (self.norm(hidden) * text).sum(1, dtype=torch.float32)
        logits: Tensor = self.classifier((total / attention_mask.sum(1, keepdim=True)).to(hidden.dtype))
        return logits

    def read(self, pack: Pack, between: Between | None = None) -> Tensor:
        """Logits (sequences, labels) of sequences that lie end to end. `between` is called before each layer but the
        first."""
        hidden = self.token_embeddings(pack.input_ids)
        mix = _within(pack, self.config.num_frequencies)
        for number, layer in enumerate(self.layers):
            if between is not None and number:
                between()
            hidden = layer(hidden, mix)
        logits: Tensor = self.classifier(pooled(self.norm(hidden)[0], pack.spans, "mean"))
        return logits


def _within(pack: Pack, frequencies: int) -> Mix:
    """Texts of one length of transform go through it together, and each is filled up to that length by itself."""
    lengths = [end - start for start, end in pack.spans]
    groups: dict[int, list[int]] = {}
    for number, tokens in enumerate(lengths):
        groups.setdefault(fft_length(tokens), []).append(number)
    bases = {length: waves(frequencies, length, pack.input_ids.device) for length in groups}

    def mix(convolution: LongConvolution, states: Tensor) -> Tensor:
        mixed = list(torch.split(states[0], lengths))
        for length, numbers in groups.items():
            rows = pad_sequence([mixed[number] for number in numbers], batch_first=True)
            for number, row in zip(numbers, convolution(rows, bases[length], length), strict=True):
                mixed[number] = row[: lengths[number]]
        return torch.cat(mixed).unsqueeze(0)

    return mix


SPECTRAL = Family(
    model_type=SpectralConfig.model_type,
    networks={"text-classification": SpectralForSequenceClassification},
    serve=Encoder,
)
