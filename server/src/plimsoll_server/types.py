"""The plain data that the layers hand to each other. No framework, no I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

NO_TIER = "none"
"""On metrics, in the place of a tier: of a request that ended before its tier was known."""

Tokens = Sequence[int]
"""The token ids of one sequence, special tokens included."""


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """What a model with a distribution over its weights says of its own answer, in nats (Depeweg et al. 2018)."""

    entropy: float
    """Of the mean of the probabilities that weights drawn from it give: 0 of one that is sure of one label."""
    mutual_information: float
    """Of answer and weights: the part of the entropy that more training data of this kind would take away."""

    @property
    def numbers(self) -> tuple[float, float]:
        return (self.entropy, self.mutual_information)


@dataclass(frozen=True, slots=True)
class LabelLogits:
    """Of one sequence: a logit for each of the model's labels."""

    logits: tuple[float, ...]
    uncertainty: Uncertainty | None = None
    """None of a model that has only one set of weights."""

    @property
    def numbers(self) -> tuple[float, ...]:
        return self.logits if self.uncertainty is None else self.logits + self.uncertainty.numbers


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
class ExpertUse:
    """What the layers of a mixture of experts did with the tokens of a batch: one entry for each layer."""

    given: tuple[tuple[int, ...], ...]
    """To each expert: so many tokens."""
    routed: tuple[int, ...]
    """Tokens, each given to several experts."""
    entropy: tuple[float, ...]
    """Of the router's probabilities for a token, in nats, summed over them: 0 of one that is sure of one expert."""
    buffers_allocated: int
    buffers_reused: int

    def __add__(self, other: ExpertUse) -> ExpertUse:
        """Of both; they are of the same model."""
        pairs = zip(self.given, other.given, strict=True)
        return ExpertUse(
            given=tuple(tuple(map(sum, zip(*layer, strict=True))) for layer in pairs),
            routed=tuple(map(sum, zip(self.routed, other.routed, strict=True))),
            entropy=tuple(map(sum, zip(self.entropy, other.entropy, strict=True))),
            buffers_allocated=self.buffers_allocated + other.buffers_allocated,
            buffers_reused=self.buffers_reused + other.buffers_reused,
        )


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One outcome for each sequence of a batch, in order, and whether memory ran out on the way. No outcomes: it was
    ended on its way, for nobody waited for it any more."""

    outcomes: tuple[Outcome, ...]
    out_of_memory: bool = False
    seconds: float = field(default=0.0, compare=False)
    """For which it ran, as far as is known."""
    longest_step: float = field(default=0.0, compare=False)
    """Seconds that its longest layer took; 0 of what ran within another."""
    tried: bool = True
    """Whether a device was given any of it. What took several with it before is given to none."""
    experts: ExpertUse | None = field(default=None, compare=False)
    """None of a model that has none."""

    @property
    def abandoned(self) -> bool:
        return not self.outcomes

    @property
    def failed(self) -> bool:
        """Whether any sequence has no output."""
        return any(isinstance(outcome, Failure) for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class LoadLine:
    """What may run on one device at the same time, as its memory has shown."""

    bytes_per_token: int | None = None
    """None where nothing was measured: then only the planned concurrency counts."""
    room: int | None = None
    """Bytes that all sequences which run together may take."""
    factor: float = 1.0
    """Of all that, what is trusted: 1.0, less after a shortage, and slowly back."""
    bytes_per_batch: int = 0
    """What a batch takes beside its tokens. The room is without it."""
    measured_room: int | None = None
    """The room at the start, when nothing else had taken any of it."""

    @property
    def tokens(self) -> int | None:
        """Of all that runs on the device together; None where nothing was measured.

        What is longer may run all the same, alone: whether it fits is for the device to say.
        """
        if self.bytes_per_token is None or self.room is None:
            return None
        return int(self.room * self.factor) // self.bytes_per_token

    def bytes_of(self, tokens: int) -> int:
        """That a batch of so many takes; 0 where nothing was measured."""
        return 0 if self.bytes_per_token is None else self.bytes_per_batch + tokens * self.bytes_per_token

    def tokens_in(self, size: float) -> float:
        """Of a batch that takes no more than `size` bytes; any number where nothing was measured."""
        return max(0.0, size - self.bytes_per_batch) / self.bytes_per_token if self.bytes_per_token else math.inf

    def ever_fits(self, tokens: int) -> bool:
        """Whether a sequence of so many is within what was measured; False where nothing was."""
        if self.bytes_per_token is None or self.measured_room is None:
            return False
        return tokens * self.bytes_per_token <= self.measured_room

    def sequences(self, planned: int, max_tokens: int) -> int:
        """How many of `max_tokens` each may run together where `planned` is the most; 0 only where that is."""
        measured = int(planned * self.factor) if self.tokens is None else self.tokens // max_tokens
        return min(planned, max(1, measured))


@dataclass(frozen=True, slots=True)
class Trial:
    """A batch that was run to see what it takes."""

    sequences: int
    tokens: int
    growth: int
    """Bytes by which memory in use was larger, at its highest, than before."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the trials at the start say of the device. In bytes."""

    bytes_per_token: int
    bytes_per_batch: int
    """What a batch takes on top of that, however small."""
    room: int
    """What was left for batches once the model was loaded, less what is promised."""
    seconds: float
    """It took so long: next to nothing where the trials of an earlier start were found."""
    trials: tuple[Trial, ...]
    promised: int = 0
    """What is kept for the answers that the server will remember."""

    @property
    def line(self) -> LoadLine:
        room = max(0, self.room - self.bytes_per_batch)
        return LoadLine(self.bytes_per_token, room, bytes_per_batch=self.bytes_per_batch, measured_room=room)


class Activation(Enum):
    """What turns a model's logits into scores."""

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    NONE = "none"
    """Of a regression, whose logits are the numbers that it was trained for."""


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
    uncertain: bool = False
    """Whether it tells its uncertainty with each answer."""
    weights: str = ""
    """Tells these weights and this tokenizer from any others. Empty: nobody has looked."""
    verified_by: str = ""
    """What the files were compared with when the server started: hub, or SHA256SUMS. Empty: nothing."""
