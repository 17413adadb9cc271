"""The plain data that the layers hand to each other. No framework, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

Tokens = Sequence[int]
"""The token ids of one sequence, special tokens included."""


@dataclass(frozen=True, slots=True)
class LabelLogits:
    """Of one sequence: a logit for each of the model's labels."""

    logits: tuple[float, ...]

    @property
    def numbers(self) -> tuple[float, ...]:
        return self.logits


@dataclass(frozen=True, slots=True)
class TokenLabels:
    """Of one sequence: for each token, special ones included, its most probable label and that probability."""

    labels: tuple[int, ...]
    scores: tuple[float, ...]

    @property
    def numbers(self) -> tuple[float, ...]:
        return self.scores


@dataclass(frozen=True, slots=True)
class Embedding:
    """Of one sequence: its pooled hidden state, as long as the model is wide and not normalised."""

    values: tuple[float, ...]

    @property
    def numbers(self) -> tuple[float, ...]:
        return self.values


class Failure(Enum):
    """Why a sequence has no output. The other sequences of its batch are not touched by it."""

    OUT_OF_MEMORY = "out of memory"
    NON_FINITE = "the model's output holds values that are not finite"
    MODEL_FAULT = "the model failed"


Output = LabelLogits | TokenLabels | Embedding
"""What a model gives for a sequence. `numbers` are those of it that must be finite."""

Outcome = Output | Failure


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One outcome for each sequence of a batch, in order, and whether memory ran out on the way."""

    outcomes: tuple[Outcome, ...]
    out_of_memory: bool = False

    @property
    def failed(self) -> bool:
        """Whether any sequence has no output."""
        return any(isinstance(outcome, Failure) for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Measured:
    """The load line as a first batch shows it. Both in bytes."""

    per_token: int
    room: int
    """What all sequences of a batch may take together."""


class Activation(Enum):
    """What turns a model's logits into scores."""

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the rest of the server may know of a loaded model."""

    location: str
    revision: str | None
    family: str
    task: str
    dtype: str
    attention: str
    device: str
    window: int
    """The longest sequence in tokens, special ones included."""
    vocabulary: int
    width: int
    """Of a hidden state, and so of an embedding."""
    layers: int
    pooling: Literal["mean", "cls"]
    """How the hidden states of a sequence become one."""
    packing: Literal["packed", "alone"]
    """Whether the sequences of a batch share one forward pass, or each runs by itself."""
    labels: tuple[str, ...]
    activation: Activation
    tokenizer_file: str
