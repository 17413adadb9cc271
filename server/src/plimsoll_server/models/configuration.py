"""What of a model's config.json decides whether a network can be made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.json_files import read_json

_Size = Annotated[int, Field(ge=1)]
_Count = Annotated[int, Field(ge=1, le=4096)]
"""Of layers or heads: some hundreds are many."""
_ROTATED = ("modernbert", "roformer")
"""Families that turn pairs of numbers by their position."""
_WITHOUT_POSITIONS = (*_ROTATED, "spectral")
"""Families that have no row for each position."""
_BEHIND_PADDING = ("camembert", "mpnet", "roberta", "xlm-roberta")
_Numbers = Literal["float64", "float32", "bfloat16", "float16"]


def _numbered_from_zero(labels: dict[int, Any] | None) -> dict[int, Any] | None:
    if labels and sorted(labels) != list(range(len(labels))):
        found = ", ".join(map(str, sorted(labels)[:5]))
        raise ValueError(f"{len(labels)} labels are numbered {found} and so on, expected 0 to {len(labels) - 1}")
    return labels


class _Rotation(BaseModel):
    """Of all layers, or of each kind of them."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    rope_type: str | None = None
    type: str | None = None
    """As older files call it."""
    rope_theta: PositiveFloat | None = None
    factor: PositiveFloat | None = None
    attention_factor: PositiveFloat | None = None
    full_attention: _Rotation | None = None
    sliding_attention: _Rotation | None = None

    @model_validator(mode="after")
    def _is_the_same_beside_others(self) -> Self:
        if "longrope" in (self.rope_type, self.type):
            raise ValueError(
                "rope_type is longrope, by which a short text is turned otherwise beside a long one; expected another, "
                "such as default, linear or yarn"
            )
        return self


class Configuration(BaseModel):
    """Fields by the names of all families; each has some of them. What is not named here is left to transformers."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    model_type: str = ""
    architectures: list[str] | None = None
    vocab_size: _Size | None = None
    hidden_size: _Size | None = None
    dim: _Size | None = None
    intermediate_size: _Size | None = None
    hidden_dim: _Size | None = None
    num_frequencies: _Size | None = None
    num_gate_blocks: _Size | None = None
    type_vocab_size: Annotated[int, Field(ge=0)] | None = None
    max_position_embeddings: Annotated[int, Field(ge=1, le=1 << 24)] | None = None
    num_hidden_layers: _Count | None = None
    n_layers: _Count | None = None
    num_attention_heads: _Count | None = None
    n_heads: _Count | None = None
    id2label: Annotated[dict[int, str | int | float] | None, AfterValidator(_numbered_from_zero)] = None
    problem_type: Literal["single_label_classification", "multi_label_classification", "regression"] | None = None
    local_attention: _Size | None = None
    global_attn_every_n_layers: _Size | None = None
    global_rope_theta: PositiveFloat | None = None
    local_rope_theta: PositiveFloat | None = None
    rope_parameters: _Rotation | None = None
    rope_scaling: _Rotation | None = None
    num_experts: _Count | None = None
    num_experts_per_tok: _Count | None = None
    pad_token_id: Annotated[int, Field(ge=0)] | None = None
    dtype: _Numbers | None = None
    torch_dtype: _Numbers | None = None
    num_labels: Annotated[int, Field(ge=0, le=1 << 20)] | None = None
    quantization_config: Any = None
    transformers_weights: Any = None

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        width = self.hidden_size if self.dim is None else self.dim
        heads = self.num_attention_heads if self.n_heads is None else self.n_heads
        if width is None or heads is None:
            return self
        if width % heads:
            raise ValueError(f"{heads} attention heads cannot share a width of {width}, expected a multiple of it")
        if self.model_type in _ROTATED and width // heads % 2:
            raise ValueError(f"each attention head has a width of {width // heads}, expected an even number to rotate")
        return self

    @model_validator(mode="after")
    def _tokens_choose_among_the_experts(self) -> Self:
        experts, chosen = self.num_experts, self.num_experts_per_tok
        if experts is not None and chosen is not None and chosen > experts:
            raise ValueError(f"num_experts_per_tok is {chosen}, expected {experts} at most, for there are no more")
        return self

    @model_validator(mode="after")
    def _padding_is_embedded(self) -> Self:
        if self.model_type in _BEHIND_PADDING and self.pad_token_id is None and "pad_token_id" in self.model_fields_set:
            raise ValueError(f"pad_token_id is null, expected a number: positions of {self.model_type} start behind it")
        if self.pad_token_id is not None and self.vocab_size is not None and self.pad_token_id >= self.vocab_size:
            raise ValueError(f"pad_token_id is {self.pad_token_id}, expected less than vocab_size, {self.vocab_size}")
        return self

    @property
    def sizes(self) -> dict[str, int]:
        """Those that are a dimension of some tensor, by their names. DistilBERT's are its own, whatever it carries."""
        width = "hidden_size" if self.dim is None else "dim"
        inner = "intermediate_size" if self.hidden_dim is None else "hidden_dim"
        names = ("vocab_size", width, inner, "num_frequencies", "num_gate_blocks", "num_experts")
        return {name: size for name in names if (size := getattr(self, name)) is not None}

    @property
    def counts(self) -> dict[str, int]:
        """Those of rows that a network has, by their names: no dimension of every model, and never above the largest
        of its weights."""
        labels = self.num_labels if self.id2label is None or self.num_labels is not None else len(self.id2label)
        positions = None if self.model_type in _WITHOUT_POSITIONS else self.max_position_embeddings
        counts = {
            "num_labels": labels,
            "max_position_embeddings": positions,
            "type_vocab_size": self.type_vocab_size,
        }
        return {name: count for name, count in counts.items() if count is not None}


def read_configuration(folder: Path) -> Configuration:
    """Raises ModelError."""
    try:
        return read_json(folder / "config.json", Configuration)
    except FileNotFoundError as error:
        raise ModelError(_no_config(folder)) from error


def _no_config(folder: Path) -> str:
    below = sorted(file.parent.name for file in folder.glob("*/config.json"))[:5]
    if below:
        return f"{folder} has no config.json, but {', '.join(below)} in it has; point the model location there"
    return f"{folder} has no config.json; point the model location at the model's folder"
