"""The bound below which a canary's bad rate is, whenever one looks."""

from __future__ import annotations

from math import lgamma, log, log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll_operator.rollout.evidence.upper_bound import BETA, upper_bound

MARGIN = 0.01


def test_without_a_bad_event_it_solves_the_equation_written_down_by_hand() -> None:
    """(1 - p)^n = β B(1/2, 50 + n) / B(1/2, 50)."""
    bound = upper_bound(500, 0, MARGIN)
    mixture = lgamma(550) - lgamma(550.5) - lgamma(50) + lgamma(50.5)
    assert 500 * log1p(-bound) == pytest.approx(log(BETA) + mixture)
    assert bound == pytest.approx(0.00836, abs=1e-5)


def test_about_four_hundred_exposures_without_a_bad_event_reach_a_margin_of_one_percent() -> None:
    assert upper_bound(408, 0, MARGIN) > MARGIN > upper_bound(409, 0, MARGIN)


@pytest.mark.parametrize(("exposures", "bad"), [(0, 0), (5, 5), (5, 9)], ids=["nothing seen", "all bad", "more bad"])
def test_what_may_be_all_bad_has_the_bound_one(exposures: float, bad: float) -> None:
    assert upper_bound(exposures, bad, MARGIN) == 1


@given(st.integers(1, 10**12), st.floats(0, 1))
def test_it_is_above_what_was_seen_at_any_size(exposures: int, share: float) -> None:
    bad = round(exposures * share)
    assert bad / exposures <= upper_bound(exposures, bad, MARGIN) <= 1


@given(st.integers(1, 100_000), st.integers(0, 50))
def test_it_falls_with_good_answers_and_rises_with_bad_ones(exposures: int, bad: int) -> None:
    bad = min(bad, exposures)
    bound = upper_bound(exposures, bad, MARGIN)
    assert upper_bound(exposures + 100, bad, MARGIN) <= bound + 1e-6
    assert upper_bound(exposures + 1, bad + 1, MARGIN) >= bound - 1e-6
