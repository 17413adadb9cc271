"""Which buckets of the latency bound a canary, by rates of the stable revision that are worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from math import lgamma, log, log1p

import pytest

from plimsoll_operator.rollout.evidence import (
    BATCHES,
    FAILURES,
    INCIDENTS,
    AnalysisSettings,
    Counts,
    Evidence,
    Interval,
    SeriesKey,
    Verdict,
    judge,
)
from plimsoll_operator.rollout.evidence.bounds import Bound, bounds
from strata import SHORT

SETTINGS = AnalysisSettings()
START = datetime(2026, 1, 1, tzinfo=UTC)


def seen(canary_slower: dict[str, int], stable_slower: dict[str, int], stable: int, canary: int = 500) -> Evidence:
    """One interval: of so many requests, how many took longer than each bound, in seconds."""
    served = {SHORT: Counts(canary, stable, 0, 0)}
    slower = {
        SeriesKey("latency", bound): {SHORT: Counts(canary, stable, canary_slower.get(bound, 0), of_stable)}
        for bound, of_stable in stable_slower.items()
    }
    interval = Interval(
        START, START + SETTINGS.interval, {INCIDENTS: served, FAILURES: served, BATCHES: served, **slower}
    )
    return Evidence.fresh("canary", START).updated(interval, SETTINGS)


def bounded(evidence: Evidence) -> dict[str, Bound]:
    parts = {key.part: series for key, series in evidence.series.items() if key.signal == "latency"}
    return dict(bounds("latency", parts, "25", evidence, SETTINGS))


def latency(verdict: Verdict) -> tuple[str, bool]:
    [found] = [figures for figures in verdict.signals if figures.name == "latency"]
    return found.bound_part, found.within_bound


@pytest.mark.parametrize(
    ("stable", "slower", "expected"),
    [
        pytest.param(9000, {"0.25": 900, "1": 90, "4": 9, "25": 0}, {"0.25", "4"}, id="a tenth of the margin"),
        pytest.param(9000, {"0.25": 900, "1": 90, "4": 14, "25": 0}, {"0.25", "4"}, id="9 + 2 √9 by chance"),
        pytest.param(9000, {"0.25": 900, "1": 90, "4": 16, "25": 0}, {"0.25", "25"}, id="surely more"),
        pytest.param(900, {"0.25": 90, "1": 9, "4": 2, "25": 0}, {"0.25", "4"}, id="0.9 + 2 √0.9 by chance"),
        pytest.param(900, {"0.25": 90, "1": 9, "4": 3, "25": 0}, {"0.25", "25"}, id="surely more of fewer"),
        pytest.param(500, {"0.25": 50, "4": 1, "25": 1}, {"0.25", "4"}, id="one that hung on stable"),
        pytest.param(100, {"0.25": 10, "4": 1, "25": 0}, {"0.25", "25"}, id="one of a hundred"),
        pytest.param(9000, {"0.25": 900, "1": 90, "25": 60}, {"0.25"}, id="stable hangs itself"),
        pytest.param(9000, {"0.25": 270, "4": 9, "25": 0}, {"0.25", "4"}, id="none with 5 to 50 %"),
        pytest.param(9000, {"0.25": 9, "4": 0, "25": 0}, {"0.25"}, id="all are as quick"),
        pytest.param(9000, {"0.25": 4500, "1": 450, "4": 0}, {"0.25", "1", "4"}, id="several with 5 to 50 %"),
    ],
)
def test_the_buckets_that_are_bounded(stable: int, slower: dict[str, int], expected: set[str]) -> None:
    assert set(bounded(seen({}, slower, stable))) == expected


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        pytest.param(900, {"0.25", "25", "objective"}, id="by a tenth"),
        pytest.param(4500, {"0.25", "25", "objective"}, id="by half"),
        pytest.param(4600, {"0.25", "25"}, id="by more"),
        pytest.param(9000, {"0.25", "25"}, id="by all"),
    ],
)
def test_an_objective_is_bounded_unless_stable_misses_it_mostly(missed: int, expected: set[str]) -> None:
    """What more than half exceed cannot double, and a canary that exceeds it always, as stable does, has no bound."""
    assert set(bounded(seen({}, {"0.25": 900, "25": 0, "objective": missed}, 9000))) == expected


def test_a_canary_that_misses_an_objective_as_stable_does_is_promoted() -> None:
    evidence = seen({"0.25": 50, "objective": 500}, {"0.25": 900, "25": 0, "objective": 9000}, 9000)
    verdict = judge(evidence, SETTINGS)
    assert (verdict.decision, "latency at most 100 %" in verdict.message) == ("Promote", False)


def test_a_bucket_that_is_next_to_none_is_bounded_as_errors_are() -> None:
    """5 of 500 against 9 of 9,000: p solves p^5 (1 - p)^495 = 0.05 B(5.5, 545) / B(0.5, 50)."""
    bound = bounded(seen({"0.25": 50, "4": 5}, {"0.25": 900, "4": 9}, 9000))["4"]
    mixture = lgamma(5.5) + lgamma(545) - lgamma(550.5) - lgamma(0.5) - lgamma(50) + lgamma(50.5)
    assert 5 * log(bound.upper) + 495 * log1p(-bound.upper) == pytest.approx(log(0.05) + mixture)
    assert bound.allowed == pytest.approx(0.011)
    assert (bound.exposures, bound.bad) == (500, 5)


def test_a_good_canary_is_promoted_as_soon_as_its_errors_allow() -> None:
    """500 requests without a bad event; of its latencies as many as of stable's are above a quarter of a second."""
    verdict = judge(seen({"0.25": 50}, {"0.25": 900, "4": 0, "25": 0}, 9000), SETTINGS)
    assert verdict.decision == "Promote"
    assert verdict.message.endswith(
        "errors at most 0.84 % (allowed 1.0 %), slower than 4 s at most 0.84 % (allowed 1.0 %)"
    )


def test_a_canary_of_which_one_request_in_a_hundred_hangs_is_not_promoted() -> None:
    """Above a quarter of a second it is as good as stable; what hangs is too few to be taken back for yet."""
    hanging = {"0.25": 50, "4": 4, "25": 4}
    verdict = judge(seen(hanging, {"0.25": 900, "4": 0, "25": 0, "60": 0}, 9000), SETTINGS)
    assert (verdict.decision, verdict.signal, latency(verdict)) == ("Undecided", "latency", ("4", False))
    assert verdict.message.startswith("slower than 4 s: up to 2.6 % of the canary's requests cannot be ruled out yet")
