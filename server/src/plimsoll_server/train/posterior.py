"""From a trained encoder to a distribution over its last layer's weights, and how far its probabilities hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from plimsoll_server.models.bayesian import samples, uncertainty
from plimsoll_server.models.pack import Pack
from plimsoll_server.types import Tokens

_PRIOR_PRECISIONS = (0.1, 1.0, 10.0, 100.0, 1000.0)
_TEMPERATURES = tuple(2 ** (step / 8) for step in range(-16, 25))
"""From a quarter to eight."""
_BINS = 10


@dataclass(frozen=True, slots=True)
class Examples:
    """Texts as the encoder reads them."""

    features: Tensor
    """(texts, width)"""
    logits: Tensor
    """(texts, labels)"""
    labels: Tensor
    """(texts,), the right ones."""


_AT_ONCE = 32


@torch.inference_mode()
def read(network: Any, texts: Sequence[Tokens], labels: Sequence[int]) -> Examples:
    """By a network of the family bayesian that attends by packs, in this order."""
    features = [
        network.features(Pack(texts[start : start + _AT_ONCE], network.device)).float().cpu()
        for start in range(0, len(texts), _AT_ONCE)
    ]
    rows = torch.cat(features)
    head = network.classifier
    logits = functional.linear(rows, head.weight.float().cpu(), head.bias.float().cpu())
    return Examples(rows, logits, torch.tensor(labels))


@dataclass(frozen=True, slots=True)
class Posterior:
    spread: Tensor
    """(width, width), in float32: what `BayesianForSequenceClassification.spread` holds."""
    prior_precision: float
    temperature: float


def fit_posterior(learnt: Examples, held_out: Examples, noise: Tensor) -> Posterior:
    """Covariance by the texts that were learnt from; prior and temperature, one after the other, are those under which
    the right labels of the held-out texts are likeliest. `noise`: (samples, labels), see `noise_of`."""
    spreads = {prior: spread_of(learnt, prior).float() for prior in _PRIOR_PRECISIONS}
    prior = min(spreads, key=lambda prior: _loss(held_out, spreads[prior], noise, 1.0))
    spread = spreads[prior]
    temperature = min(_TEMPERATURES, key=lambda temperature: _loss(held_out, spread, noise, temperature))
    return Posterior(spread, prior, temperature)


def spread_of(learnt: Examples, prior_precision: float) -> Tensor:
    """L of the covariance L·Lᵀ of each label's weights, in float64: the inverse of their precision, which is
    prior_precision·I and Σ p(1-p)·x·xᵀ over the texts, p being the likeliest label's probability (Liu et al. 2020)."""
    likeliest = learnt.logits.double().softmax(-1).amax(-1)
    rows = learnt.features.double()
    precision = rows.T @ (rows * (likeliest * (1 - likeliest)).unsqueeze(1))
    unit = torch.eye(rows.shape[1], dtype=torch.float64)
    factor = torch.linalg.cholesky(precision + prior_precision * unit)
    inverse: Tensor = torch.linalg.solve_triangular(factor, unit, upper=False)
    return inverse.T


def probabilities(
    examples: Examples, spread: Tensor, noise: Tensor, temperature: float
) -> tuple[Tensor, Tensor, Tensor]:
    """As served: logarithms of probabilities (texts, labels), their entropy and the mutual information, both
    (texts,)."""
    deviations = (examples.features @ spread).norm(dim=-1)
    return uncertainty(samples(examples.logits, deviations, noise, temperature))


def expected_calibration_error(logarithms: Tensor, labels: Tensor) -> float:
    """Of logarithms of probabilities (texts, labels), in ten bins as wide as each other: how far the likeliest label's
    probability is from how often it is right, by the texts in each bin (Naeini et al. 2015)."""
    likeliest, chosen = logarithms.double().exp().max(-1)
    apart = likeliest - (chosen == labels).double()
    bins = (likeliest * _BINS).long().clamp(max=_BINS - 1)
    return float(torch.zeros(_BINS, dtype=torch.float64).index_add_(0, bins, apart).abs().sum() / len(labels))


def auroc(inside: Tensor, outside: Tensor) -> float:
    """How often a text from outside has a larger number than one from inside, ties by half: 0.5 tells nothing."""
    order = inside.double().sort().values
    below = torch.searchsorted(order, outside.double(), right=False)
    up_to = torch.searchsorted(order, outside.double(), right=True)
    return float((below + up_to).double().sum() / (2 * len(inside) * len(outside)))


def _loss(examples: Examples, spread: Tensor, noise: Tensor, temperature: float) -> float:
    logarithms, _, _ = probabilities(examples, spread, noise, temperature)
    return float(functional.nll_loss(logarithms, examples.labels))
