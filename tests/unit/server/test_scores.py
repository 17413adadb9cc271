"""Scores of labels, and what several chunks say together."""

from __future__ import annotations

import pytest

from plimsoll_server.scheduler.scores import AGGREGATIONS, activate
from plimsoll_server.types import Activation


def test_softmax_adds_up_to_one_and_survives_large_logits() -> None:
    assert sum(activate((1000.0, 999.0, -1000.0), Activation.SOFTMAX)) == pytest.approx(1)


def test_sigmoid_scores_each_label_by_itself() -> None:
    assert activate((0.0, 800.0, -800.0), Activation.SIGMOID) == pytest.approx((0.5, 1.0, 0.0))


def test_a_regressions_numbers_stay_as_they_are() -> None:
    assert activate((-3.5, 7.0), Activation.NONE) == (-3.5, 7.0)


def test_the_mean_weighs_a_chunk_by_the_tokens_it_adds() -> None:
    assert AGGREGATIONS["Mean"]([(1.0, 0.0), (0.0, 1.0)], [300, 100]) == pytest.approx((0.75, 0.25))


def test_the_maximum_keeps_a_risk_found_once_at_its_full_score() -> None:
    """Two harmless chunks and one jailbreak: normalising again would halve the score that a guard compares."""
    safe_or_jailbreak = [(0.99, 0.01), (0.02, 0.98), (0.97, 0.03)]
    assert AGGREGATIONS["Max"](safe_or_jailbreak, [10, 10, 10]) == (0.99, 0.98)
