"""From numbers on a device to the plain outputs of sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from plimsoll_server.types import LabelLogits, Output, TokenLabels

Spans = Sequence[tuple[int, int]]
"""Start and end of each sequence within a pack."""


_MOST_LOGITS = 1 << 21
"""At once: eight megabytes in float32, and as many once they are probabilities."""


def label_logits(logits: Tensor) -> list[Output]:
    """Logits of shape (sequences, labels)."""
    return [LabelLogits(tuple(row)) for row in logits.float().tolist()]


def token_labels(hidden: Tensor, read: Callable[[Tensor], Tensor], count: int, spans: Spans) -> list[Output]:
    """Hidden states of shape (total, width), of which `read` makes logits of `count` labels.

    By slices: whole, the logits of a model with thousands of labels would take several times what its layers do, and
    only the likeliest label of each token is kept of them.
    """
    found = [read(rows).float().softmax(-1).max(-1) for rows in torch.split(hidden, max(1, _MOST_LOGITS // count))]
    scores, labels = torch.cat([part.values for part in found]), torch.cat([part.indices for part in found])
    return [TokenLabels(tuple(labels[start:end].tolist()), tuple(scores[start:end].tolist())) for start, end in spans]
