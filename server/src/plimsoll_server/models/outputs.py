"""From numbers on a device to the plain outputs of sequences."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from plimsoll_server.types import LabelLogits, Output, TokenLabels

Spans = Sequence[tuple[int, int]]
"""Start and end of each sequence within a pack."""


def label_logits(logits: Tensor) -> list[Output]:
    """Logits of shape (sequences, labels)."""
    return [LabelLogits(tuple(row)) for row in logits.float().tolist()]


def token_labels(logits: Tensor, spans: Spans) -> list[Output]:
    """Logits of shape (total, labels)."""
    scores, labels = logits.float().softmax(-1).max(-1)
    return [TokenLabels(tuple(labels[start:end].tolist()), tuple(scores[start:end].tolist())) for start, end in spans]
