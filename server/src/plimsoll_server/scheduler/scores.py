"""Scores of labels: from logits, and from those of several chunks to those of the text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from plimsoll_server.types import Activation

Scores = tuple[float, ...]
"""One per label, in the model's order."""

Aggregation = Callable[[Sequence[Scores], Sequence[int]], Scores]
"""From the scores of each chunk, and the tokens that each adds to those before it."""


def activate(logits: Sequence[float], activation: Activation) -> Scores:
    return _FUNCTIONS[activation](logits)


def mean(chunks: Sequence[Scores], weights: Sequence[int]) -> Scores:
    """The mean over the text: each chunk counts with the tokens it adds, so that no overlap counts twice."""
    total = sum(weights)
    return tuple(
        math.fsum(score * weight for score, weight in zip(column, weights, strict=True)) / total
        for column in zip(*chunks, strict=True)
    )


def maximum(chunks: Sequence[Scores], weights: Sequence[int]) -> Scores:  # noqa: ARG001  one signature for all
    """The highest score of each label in any chunk.

    Not normalised again: a risk found in one chunk keeps its score however harmless the others are. So the scores may
    add up to more than 1, and the one to compare with a threshold is that of the guarded label, whatever its rank.
    """
    return tuple(max(column) for column in zip(*chunks, strict=True))


AGGREGATIONS: Mapping[str, Aggregation] = {"Mean": mean, "Max": maximum}


def _softmax(logits: Sequence[float]) -> Scores:
    top = max(logits)
    weights = [math.exp(logit - top) for logit in logits]
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)


def _sigmoid(logits: Sequence[float]) -> Scores:
    return tuple(
        1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit)) for logit in logits
    )


_FUNCTIONS: Mapping[Activation, Callable[[Sequence[float]], Scores]] = {
    Activation.SOFTMAX: _softmax,
    Activation.SIGMOID: _sigmoid,
    Activation.NONE: tuple,
}
