"""What the project's own encoders share: learned positions, layers that normalise first, a label read from the first
token. A family's file says what its layers do after attention.

The label needs the first token of the last layer alone, so that layer is finished for that one only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from plimsoll_server.models.errors import LeakError
from plimsoll_server.models.family import Between
from plimsoll_server.models.pack import Pack
from plimsoll_server.types import LabelLogits, ModelInfo, Output, Tokens


class EncoderConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    vocab_size: int = 2048
    hidden_size: int = 512
    num_attention_heads: int = 4
    num_hidden_layers: int = 4
    intermediate_size: int = 1024
    max_position_embeddings: int = 128
    initializer_range: float = 0.02
    pad_token_id: int | None = 0
    classifier_pooling: str = "cls"


class EncoderLayer(nn.Module):
    """Attention and a feed-forward, each on the normalised states and added to them."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        width = config.hidden_size
        self.config = config
        self.is_causal = False
        self.scaling = (width // config.num_attention_heads) ** -0.5
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.feed_forward_norm = nn.LayerNorm(width)

    def feed_forward(self, states: Tensor, pack: Pack | None) -> Tensor:
        """Normalised states (batch, tokens, width) to what is added to them. `pack`: what they are of; None for padded
        rows."""
        raise NotImplementedError

    def forward(
        self, hidden: Tensor, rows: Tensor | None = None, mask: Tensor | None = None, pack: Pack | None = None
    ) -> Tensor:
        """States (batch, tokens, width) to states; with `rows`, of those tokens only."""
        batch, tokens, width = hidden.shape
        heads = self.config.num_attention_heads
        split = self.query_key_value(self.attention_norm(hidden)).view(batch, tokens, 3, heads, width // heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        chosen = self.config._attn_implementation  # noqa: SLF001  where transformers keeps it
        attend: Any = ALL_ATTENTION_FUNCTIONS.get_interface(chosen, _eager)
        packed = {} if pack is None else {"pack": pack}
        mixed = attend(self, query, key, value, mask, scaling=self.scaling, **packed)[0].reshape(batch, tokens, width)
        if rows is not None:
            hidden, mixed = hidden[:, rows], mixed[:, rows]
        hidden = hidden + self.attended(mixed)
        added: Tensor = self.feed_forward(self.feed_forward_norm(hidden), pack)
        return hidden + added


def _eager(
    layer: nn.Module,  # noqa: ARG001  the interface's signature
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scaling: float,
) -> tuple[Tensor, None]:
    """The formula as it is written: what every other way is compared with."""
    scores = query @ key.transpose(2, 3) * scaling
    if mask is not None:
        scores = scores + mask
    return (scores.softmax(-1) @ value).transpose(1, 2), None


class EncoderForSequenceClassification(PreTrainedModel):
    """A family's network says of which layers it is made."""

    layer: ClassVar[type[EncoderLayer]] = EncoderLayer
    _supports_sdpa = True
    _supports_attention_backend = True

    def __init__(self, config: Any) -> None:
        super().__init__(config)  # type: ignore[no-untyped-call]
        self.token_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.layers = nn.ModuleList(self.layer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels or 1)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits (batch, labels) of padded rows; both arguments are (batch, tokens), the mask 1 where there is text."""
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)
        hidden = self.token_embeddings(input_ids) + self.position_embeddings(positions)
        lowest = torch.finfo(hidden.dtype).min
        mask = torch.zeros_like(attention_mask, dtype=hidden.dtype).masked_fill_(attention_mask == 0, lowest)
        for layer in self.layers:
            hidden = layer(hidden, mask=mask[:, None, None, :])
        logits: Tensor = self.classifier(self.norm(hidden[:, 0]))
        return logits

    def read(self, pack: Pack, between: Between | None = None) -> Tensor:
        """Logits (sequences, labels) of sequences that lie end to end. `between` is called before each layer but the
        first. Raises LeakError."""
        logits: Tensor = self.classifier(self.features(pack, between))
        return logits

    def features(self, pack: Pack, between: Between | None = None) -> Tensor:
        """What the labels are read from, (sequences, width); otherwise as `read`."""
        hidden = self.token_embeddings(pack.input_ids) + self.position_embeddings(pack.position_ids)
        first_tokens = torch.tensor(pack.borders[:-1], device=hidden.device)
        for number, layer in enumerate(self.layers, start=1):
            if between is not None and number > 1:
                between()
            hidden = layer(hidden, rows=first_tokens if number == len(self.layers) else None, pack=pack)
        if pack.attention_calls != len(self.layers):
            raise LeakError(f"packed attention ran {pack.attention_calls} times in {len(self.layers)} layers")
        states: Tensor = self.norm(hidden[0])
        return states


class Encoder:
    """One loaded network."""

    def __init__(self, network: PreTrainedModel, info: ModelInfo) -> None:
        self.info = info
        self._network: Any = network
        self._device = torch.device(info.device)

    @torch.inference_mode()
    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        logits = self._network.read(Pack(batch, self._device), between).float()
        return [LabelLogits(tuple(row)) for row in logits.tolist()]
