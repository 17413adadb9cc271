"""How evenly a trained model uses its experts over texts of its own kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from plimsoll_server.models.family import HasExperts, Model
from plimsoll_server.types import Tokens

_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class LayerUse:
    """Of one layer."""

    shares: tuple[float, ...]
    """Of the tokens given to experts, each expert's part; they add up to 1."""
    balance: float
    """The busiest expert for the mean one: 1 is even, the number of experts is one that has them all."""
    entropy: float
    """Of the router's probabilities, the mean over tokens as a part of the logarithm of the number of experts: 1 is a
    router that does not choose."""
    unused: int
    """Experts with less than a tenth of an even share."""


@dataclass(frozen=True, slots=True)
class Use:
    texts: int
    tokens: int
    layers: tuple[LayerUse, ...]
    buffers_reused: float
    """Of the buffers that layers asked for, the part that a layer before had left; 0 where nothing counts them."""


def use_of(model: Model, texts: Sequence[Tokens], tell: Callable[[str], None]) -> Use:
    """Raises ValueError for a model without experts."""
    if not isinstance(model, HasExperts):
        raise ValueError(f"expected a model with experts (family moe), found one of the family {model.info.family}")
    model.expert_use()  # Whatever ran before.
    for start in range(0, len(texts), _AT_ONCE):
        model.forward(texts[start : start + _AT_ONCE])
        tell(f"{min(start + _AT_ONCE, len(texts))} of {len(texts)} texts")
    found = model.expert_use()
    asked = found.buffers_allocated + found.buffers_reused
    return Use(
        texts=len(texts),
        tokens=found.routed[0],
        layers=tuple(map(_layer, found.given, found.routed, found.entropy)),
        buffers_reused=round(found.buffers_reused / asked, 4) if asked else 0.0,
    )


def _layer(given: Sequence[int], routed: int, entropy: float) -> LayerUse:
    total, even = sum(given), 1 / len(given)
    shares = [tokens / total for tokens in given]
    return LayerUse(
        shares=tuple(round(share, 5) for share in shares),
        balance=round(max(shares) / even, 3),
        entropy=round(entropy / routed / math.log(len(given)), 4),
        unused=sum(share < even / 10 for share in shares),
    )
