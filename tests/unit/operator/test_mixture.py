"""The likelihood ratios and how much one interval may say, against values worked out by hand."""

from __future__ import annotations

from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll_operator.rollout.evidence import dispersion
from plimsoll_operator.rollout.evidence.counts import Counts
from plimsoll_operator.rollout.evidence.mixture import FLAT, RATIOS, log_likelihood_ratios, log_mean_exp

THREE = RATIOS.index(3.0)
TOLERATED = 1.25

exposures = st.integers(1, 10_000)
few = st.integers(0, 50)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Equal shares: a bad event is the canary's with 1/2 if as good, with 3/4 if three times as bad.
        (Counts(10, 10, 1, 0), log(0.75 / 0.5)),
        (Counts(10, 10, 0, 1), log(0.25 / 0.5)),
        (Counts(10, 10, 4, 3), 4 * log(1.5) + 3 * log(0.5)),
        # A tenth of the requests: 1/10 if as good, 3/12 if three times as bad.
        (Counts(10, 90, 2, 1), 2 * log(2.5) + log(0.75 / 0.9)),
        (Counts(10, 90, 0, 0), 0.0),
    ],
    ids=["one of the canary", "one of stable", "both", "a tenth of the traffic", "nothing happened"],
)
def test_the_ratio_is_that_of_the_chances_whose_event_it_is(counts: Counts, expected: float) -> None:
    assert log_likelihood_ratios([counts], 1.0)[THREE] == pytest.approx(expected)


@pytest.mark.parametrize("counts", [Counts(0, 100, 0, 9), Counts(100, 0, 9, 0)], ids=["no canary", "no stable"])
def test_where_one_side_saw_nothing_nothing_is_said(counts: Counts) -> None:
    assert log_likelihood_ratios([counts], TOLERATED) == FLAT


def test_a_shift_of_the_mix_of_tiers_is_no_evidence() -> None:
    """The canary got the long texts, which fail more often on either side: pooled, it looks five times as bad."""
    strata = [Counts(10, 90, 0, 1), Counts(90, 10, 9, 1)]
    pooled = [Counts(100, 100, 9, 2)]
    assert max(log_likelihood_ratios(strata, 1.0)) < 0.1
    assert max(log_likelihood_ratios(pooled, 1.0)) > 2


@given(exposures, exposures, few, few, st.integers(2, 7))
def test_it_does_not_matter_how_time_is_cut(canary: int, stable: int, bad: int, stable_bad: int, parts: int) -> None:
    whole = Counts(canary * parts, stable * parts, bad * parts, stable_bad * parts)
    cut = [Counts(canary, stable, bad, stable_bad)] * parts
    assert log_likelihood_ratios([whole], TOLERATED) == pytest.approx(log_likelihood_ratios(cut, TOLERATED))


@given(exposures, exposures, few, few)
def test_one_more_bad_answer_of_the_canary_never_speaks_for_it(canary: int, stable: int, bad: int, other: int) -> None:
    before = log_likelihood_ratios([Counts(canary, stable, bad, other)], TOLERATED)
    after = log_likelihood_ratios([Counts(canary, stable, bad + 1, other)], TOLERATED)
    stables = log_likelihood_ratios([Counts(canary, stable, bad, other + 1)], TOLERATED)
    assert all(b <= a for b, a in zip(before, after, strict=True))
    assert all(s <= b for s, b in zip(stables, before, strict=True))


@given(st.floats(0.01, 100), exposures, exposures, st.floats(0, 1))
def test_the_expected_ratio_is_one_at_most_while_the_canary_is_as_good(
    ratio: float, canary: int, stable: int, worse: float
) -> None:
    """E[exp(L)] of Poisson counts, whose moments are known: ln E[exp(aX)] = mean (exp(a) - 1)."""
    rate = ratio / (canary + stable)
    one_bad = log_likelihood_ratios([Counts(canary, stable, 1, 0)], TOLERATED)
    one_stable = log_likelihood_ratios([Counts(canary, stable, 0, 1)], TOLERATED)
    canarys_mean, stables_mean = canary * rate * TOLERATED * worse, stable * rate
    for a, b in zip(one_bad, one_stable, strict=True):
        assert canarys_mean * (exp(a) - 1) + stables_mean * (exp(b) - 1) <= 1e-9


def test_the_mean_of_huge_evidence_does_not_overflow() -> None:
    assert log_mean_exp([5000.0, 5000.0]) == pytest.approx(5000)
    assert log_mean_exp([0.0, 5000.0]) == pytest.approx(5000 - log(2))


@pytest.mark.parametrize(
    ("exposures", "rate", "eta"),
    [
        pytest.param(100, 0.0, 1.0, id="none expected"),
        pytest.param(1e9, 1e-9, 0.5, id="one, rarely"),
        pytest.param(3e9, 1e-9, 0.25, id="three, rarely"),
        pytest.param(24, 0.5, 0.25, id="half of them: odds that wander as much move a half by a quarter"),
        pytest.param(100, 1.0, 1.0, id="always, which is no more often for any odds"),
    ],
)
def test_a_burst_counts_as_little_as_noise_allows(exposures: float, rate: float, eta: float) -> None:
    assert dispersion.temper(dispersion.excess(exposures, rate)) == pytest.approx(eta)
