"""The load line: how many requests of each tier a device carries before it runs out of memory. Pure arithmetic.

The memory of one batch is

    weights + reserve + sum over requests of tokens x bytes per token         (flash, sdpa)
                      + heads x sum of tokens^2 x bytes x copies              (eager attention only)
                      + what answers are remembered in                        (on a CPU only)

and it must stay inside `memoryUtilizationPercent` of the device. Every figure is in bytes unless its name says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from plimsoll_operator.gpu_profiles import GpuProfile
from plimsoll_operator.spec import Dimensions, Tier

Precision = Literal["bfloat16", "float16", "float32"]

DTYPE_BYTES: Mapping[str, int] = {"bfloat16": 2, "float16": 2, "float32": 4}

RESERVE_BYTES = 700 * 1024 * 1024
"""Interpreter, libraries and the device's context: measured 0.7 GB resident before any model is loaded."""

ACTIVATION_OVERHEAD = 2
"""Allocated over ideal activations. ModernBERT-base was measured at 63 KB per token in float32 on the CPU; the ideal
of `_activation_elements` is 32 KB."""

EAGER_SCORE_COPIES = 3
"""Matrices of attention scores alive at once in eager attention: scores, masked scores, probabilities."""


@dataclass(frozen=True)
class TierLine:
    """What one tier asks for and what the device carries of that tier alone."""

    tier: str
    max_tokens: int
    requested: int
    safe: int

    @property
    def within(self) -> bool:
        return self.requested <= self.safe

    @property
    def granted(self) -> int:
        """The concurrency that the server is given: never above the line."""
        return min(self.requested, self.safe)


@dataclass(frozen=True)
class LoadLine:
    """The load line of one device under one spec."""

    budget_bytes: int
    weights_bytes: int
    bytes_per_token: int
    tiers: tuple[TierLine, ...]

    @property
    def within(self) -> bool:
        return all(line.within for line in self.tiers)

    @property
    def exceeded(self) -> tuple[TierLine, ...]:
        return tuple(line for line in self.tiers if not line.within)


@dataclass(frozen=True)
class Footprint:
    """Memory of a model under one attention and one precision."""

    weights: int
    per_token: int
    per_squared_token: int

    def of_request(self, tokens: int) -> int:
        return tokens * self.per_token + tokens * tokens * self.per_squared_token


def parameter_count(shape: Dimensions) -> int:
    """Weights of a gated-MLP encoder: embeddings, four attention projections and three MLP matrices per layer; of a
    mixture of experts those three for each, and the router.

    ModernBERT-base: 38.7M of embeddings and 110.3M in its blocks, 298 MB in bfloat16.
    """
    attention = 4 * shape.hidden_size**2
    mlp = 3 * shape.hidden_size * shape.intermediate_size * max(1, shape.experts)
    router = shape.hidden_size * shape.experts
    return shape.vocab_size * shape.hidden_size + shape.layers * (attention + mlp + router)


def _activation_elements(shape: Dimensions) -> int:
    """Elements per token alive within one block: the residual in and out, the norm's output, queries, keys, values
    (6 x hidden), then both halves of the gated MLP and their product (3 x intermediate). Each expert of a token has the
    row that it reads and the one that it writes beside that."""
    if shape.experts:
        each = 2 * shape.hidden_size + 3 * shape.intermediate_size
        return 6 * shape.hidden_size + shape.experts_per_token * each
    return 6 * shape.hidden_size + 3 * shape.intermediate_size


def footprint(shape: Dimensions, precision: Precision, *, eager: bool) -> Footprint:
    size = DTYPE_BYTES[precision]
    return Footprint(
        weights=parameter_count(shape) * size,
        per_token=ACTIVATION_OVERHEAD * _activation_elements(shape) * size,
        per_squared_token=shape.heads * size * EAGER_SCORE_COPIES if eager else 0,
    )


def precision_of(dtype: str, profile: GpuProfile) -> Precision:
    """The precision that `auto` stands for: bfloat16 on a GPU, float32 on a CPU, where it measures faster."""
    match dtype:
        case "bfloat16" | "float16" | "float32":
            return dtype
        case _:
            return "bfloat16" if profile.is_gpu else "float32"


def plan_load_line(
    shape: Dimensions,
    tiers: Iterable[Tier],
    *,
    device_memory: int,
    utilization_percent: int,
    precision: Precision,
    eager: bool = False,
    promised: int = 0,
) -> LoadLine:
    """The highest safe concurrency of each tier on a device of `device_memory` bytes; 0 where none fits.

    `promised`: what is not for batches, such as answers that are remembered in the same memory.
    """
    memory = footprint(shape, precision, eager=eager)
    budget = device_memory * utilization_percent // 100
    available = max(0, budget - memory.weights - RESERVE_BYTES - promised)
    return LoadLine(
        budget_bytes=budget,
        weights_bytes=memory.weights,
        bytes_per_token=memory.per_token,
        tiers=tuple(
            TierLine(tier.name, tier.max_tokens, tier.concurrency, available // memory.of_request(tier.max_tokens))
            for tier in tiers
        ),
    )
