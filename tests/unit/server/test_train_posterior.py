"""The distribution over the last layer's weights, and the numbers that say how far probabilities can be believed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from plimsoll_server.train.posterior import (
    Examples,
    auroc,
    expected_calibration_error,
    fit_posterior,
    probabilities,
    spread_of,
)

WIDTH, LABELS = 6, 3
NOISE = torch.randn(64, LABELS, generator=torch.Generator().manual_seed(0))


def examples(count: int, seed: int, sharpness: float = 2.0) -> Examples:
    """Drawn from a softmax over features; `sharpness` makes the logits surer than the labels are."""
    drawn = torch.Generator().manual_seed(seed)
    weights = torch.randn(LABELS, WIDTH, generator=torch.Generator().manual_seed(99))
    features = torch.randn(count, WIDTH, generator=drawn)
    logits = features @ weights.T
    labels = torch.multinomial(logits.softmax(-1), 1, generator=drawn)[:, 0]
    return Examples(features, sharpness * logits, labels)


def test_the_covariance_is_the_inverse_of_the_precision() -> None:
    learnt = examples(50, seed=1)
    expected = 3.0 * torch.eye(WIDTH, dtype=torch.float64)
    for row, logits in zip(learnt.features.double(), learnt.logits.double(), strict=True):
        likeliest = logits.softmax(-1).max()
        expected += likeliest * (1 - likeliest) * torch.outer(row, row)
    spread = spread_of(learnt, prior_precision=3.0)
    torch.testing.assert_close(spread @ spread.T, torch.linalg.inv(expected))


def test_features_unlike_those_that_were_learnt_from_are_less_certain() -> None:
    learnt = examples(200, seed=1)
    narrow = Examples(learnt.features * torch.tensor([1.0, 1, 1, 0, 0, 0]), learnt.logits, learnt.labels)
    spread = spread_of(narrow, prior_precision=1.0).float()
    known, unknown = torch.tensor([1.0, 1, 1, 0, 0, 0]), torch.tensor([0.0, 0, 0, 1, 1, 1])
    assert (unknown @ spread).norm() > 3 * (known @ spread).norm()


def test_temperature_takes_back_what_logits_are_too_sure_of() -> None:
    learnt, tuned, unseen = (examples(4000, seed) for seed in (1, 2, 3))
    fitted = fit_posterior(learnt, tuned, NOISE)
    assert fitted.temperature == pytest.approx(2.0, rel=0.15)
    before, after = (
        expected_calibration_error(probabilities(unseen, fitted.spread, NOISE, temperature)[0], unseen.labels)
        for temperature in (1.0, fitted.temperature)
    )
    assert after < 0.02 < before


def test_calibration_error_of_known_probabilities() -> None:
    sure = torch.tensor([[0.9, 0.1]] * 10).log()
    assert expected_calibration_error(sure, torch.tensor([0] * 9 + [1])) == pytest.approx(0, abs=1e-6)
    assert expected_calibration_error(sure, torch.tensor([0] * 5 + [1] * 5)) == pytest.approx(0.4, abs=1e-6)
    assert expected_calibration_error(torch.tensor([[1.0, 1e-12]]).log(), torch.tensor([1])) == pytest.approx(1)


def counted(inside: Tensor, outside: Tensor) -> float:
    pairs = [(a, b) for a in inside.tolist() for b in outside.tolist()]
    return sum(1.0 if b > a else 0.5 if b == a else 0.0 for a, b in pairs) / len(pairs)


def test_auroc_counts_pairs() -> None:
    draw = torch.Generator().manual_seed(4)
    inside, outside = (torch.randint(0, 9, (size,), generator=draw).float() for size in (30, 40))
    assert auroc(inside, outside + 2) == pytest.approx(counted(inside, outside + 2))
    assert auroc(torch.tensor([1.0]), torch.tensor([2.0])) == 1
    assert auroc(torch.tensor([1.0]), torch.tensor([1.0])) == 0.5
