"""Every number of the training in one place."""

from __future__ import annotations

from dataclasses import dataclass

from plimsoll_server.train.demo.documents import Apart


@dataclass(frozen=True)
class Recipe:
    """The defaults give a model within about a minute of one core. Lengths are in tokens unless they say otherwise."""

    seed: int = 0
    apart: Apart = Apart.MODULE

    vocabulary: int = 4096
    hidden: int = 128
    heads: int = 4
    layers: int = 4
    intermediate: int = 192
    local_window: int = 64
    global_every: int = 2
    window: int = 1024

    steps: int = 160
    batch: int = 4096
    shortest: int = 16
    longest: int = 192
    learning_rate: float = 2e-3
    warm_up: float = 0.15
    weight_decay: float = 0.1
    dropout: float = 0.2
    classifier_dropout: float = 0.3
    masked: float = 0.15
    label_smoothing: float = 0.1

    overlap: int = 128
    """Tokens that two chunks of a text longer than the window share when the model is examined."""
    document_characters: int = 600
    long_document_characters: int = 3_000
    joined_document_characters: int = 12_500
    least_margin: float = 0.30
    """Held-out accuracy above the most frequent topic's share; a model below has not learnt and is not published."""
