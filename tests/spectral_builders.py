"""Spectral models with random weights, and the sum that a convolution stands for as it is written."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from plimsoll_server.models.long_convolution import LongConvolution
from plimsoll_server.models.spectral import SpectralConfig, SpectralForSequenceClassification
from server_builders import save_tokenizer, word_tokenizer

LABELS = ("sea", "land", "sky")
SMALL = {
    "vocab_size": 300,
    "hidden_size": 16,
    "num_frequencies": 12,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_gate_blocks": 4,
    "max_position_embeddings": 2048,
}


def spectral_network(**overrides: Any) -> SpectralForSequenceClassification:
    """Weights large enough that every token and layer matters."""
    torch.manual_seed(11)
    named = {"id2label": dict(enumerate(LABELS)), "label2id": {name: i for i, name in enumerate(LABELS)}}
    return SpectralForSequenceClassification(
        SpectralConfig(**{**SMALL, "initializer_range": 0.3, **named, **overrides})
    )


def spectral_model(folder: Path, **overrides: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    spectral_network(**overrides).save_pretrained(folder)
    save_tokenizer(word_tokenizer(["tide", "tyre", "cloud", "the"]), folder)
    return folder


def convolution(width: int, frequencies: int) -> LongConvolution:
    torch.manual_seed(5)
    made = LongConvolution(width, frequencies)
    torch.nn.init.normal_(made.spectrum, std=(2 * frequencies) ** -0.5)
    return made


def written_out(made: LongConvolution, states: Tensor) -> Tensor:
    """y[i] = Σ h[i − j] · x[j] of states (rows, tokens, width) in float64: no transform, every pair of tokens."""
    tokens = states.shape[1]
    lags = torch.arange(tokens).unsqueeze(1) - torch.arange(tokens)
    taps = filter_at(made, torch.arange(1 - tokens, tokens))[lags + tokens - 1]
    channels = [taps[..., channel] @ states[..., channel].double().mT for channel in range(states.shape[2])]
    return torch.stack(channels, -1).transpose(0, 1).to(states.dtype)


def filter_at(made: LongConvolution, lags: Tensor) -> Tensor:
    """Of each channel at `lags`, which are those of what is read behind what is written: (lags, width) in float64."""
    cosines, sines = made.spectrum.double()
    frequencies = len(cosines)
    step = 16 * math.log(2) / (frequencies - 1)
    taps = torch.zeros(len(lags), cosines.shape[1], dtype=torch.float64)
    for number in range(frequencies):
        wave = 2.0 ** (1 + 16 * number / (frequencies - 1))
        deviation = wave / (2 * math.pi * step)
        height = (deviation * math.sqrt(math.pi) / 2) ** -0.5 * torch.exp(-((lags / deviation) ** 2) / 2)
        angle = 2 * math.pi * lags / wave
        taps += (height * angle.cos()).outer(cosines[number]) + (height * angle.sin()).outer(sines[number])
    return taps
