"""The figures of one model of the family bayesian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from plimsoll_server.models.bayesian import noise_of
from plimsoll_server.train.posterior import Examples, auroc, expected_calibration_error, probabilities

_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Of texts by the probability of the label that the model gives them."""

    texts: int
    probability: float
    """Its mean."""
    right: float
    """Of them, the part whose label is right."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of probabilities by one temperature."""

    temperature: float
    expected_calibration_error: float
    bins: tuple[Bin, ...]
    """Ten, as wide as each other."""


@dataclass(frozen=True, slots=True)
class Apart:
    """How well a number tells texts of another kind from the model's own: 0.5 does not, 1 always."""

    texts: int
    entropy: float
    mutual_information: float
    likeliest: float
    """The probability of the likeliest label, turned round: what a model without a distribution has."""


@dataclass(frozen=True, slots=True)
class Figures:
    texts: int
    accuracy: float
    samples: int
    before: Calibration
    """With temperature 1."""
    after: Calibration
    apart: Apart | None


def measure(network: Any, held_out: Examples, outside: Examples | None) -> Figures:
    """`held_out`: texts that neither the weights nor the temperature were chosen by."""
    config = network.config
    spread, noise = network.spread.detach().float().cpu(), noise_of(config, torch.device("cpu"))
    before, _, _ = probabilities(held_out, spread, noise, 1.0)
    after, entropy, mutual = probabilities(held_out, spread, noise, config.temperature)
    apart = None
    if outside is not None:
        theirs, their_entropy, their_mutual = probabilities(outside, spread, noise, config.temperature)
        apart = Apart(
            texts=len(outside.features),
            entropy=round(auroc(entropy, their_entropy), 4),
            mutual_information=round(auroc(mutual, their_mutual), 4),
            likeliest=round(auroc(-after.amax(-1), -theirs.amax(-1)), 4),
        )
    return Figures(
        texts=len(held_out.labels),
        accuracy=round(float((after.argmax(-1) == held_out.labels).double().mean()), 4),
        samples=config.num_samples,
        before=_calibration(before, held_out.labels, 1.0),
        after=_calibration(after, held_out.labels, config.temperature),
        apart=apart,
    )


def _calibration(logarithms: Tensor, labels: Tensor, temperature: float) -> Calibration:
    likeliest, chosen = logarithms.double().exp().max(-1)
    right = (chosen == labels).double()
    places = (likeliest * _BINS).long().clamp(max=_BINS - 1)
    return Calibration(
        temperature=round(temperature, 4),
        expected_calibration_error=round(expected_calibration_error(logarithms, labels), 4),
        bins=tuple(_bin(likeliest[places == place], right[places == place]) for place in range(_BINS)),
    )


def _bin(likeliest: Tensor, right: Tensor) -> Bin:
    if not len(right):
        return Bin(0, 0.0, 0.0)
    return Bin(len(right), round(float(likeliest.mean()), 4), round(float(right.mean()), 4))
